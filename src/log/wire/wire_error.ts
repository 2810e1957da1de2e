/**
 * What a message that cannot be decoded is answered with.
 *
 * @module
 */

import { LogError, type LogErrorCode } from "../errors.ts";

/**
 * A message that breaks the wire's rules (`ERR_LOG_MALFORMED`), is of an unknown version (`ERR_LOG_UNSUPPORTED`) or asks for
 * options that there are not (`ERR_LOG_TOPIC`). Messages delimit themselves, so the next one can be read.
 */
export class WireError extends LogError {
  /** What `refused` answers. 0: nothing asked for an answer, or the header cannot be trusted. */
  readonly request: number;

  constructor(code: LogErrorCode, message: string, request: number) {
    super(code, message);
    this.request = request;
  }
}

/** What is wrong with a body. The message's header knows the request that it answers. */
export class Fault {
  readonly code: LogErrorCode;
  /** Completes the sentence "Cannot read …: ". */
  readonly text: string;

  constructor(text: string, code: LogErrorCode = "ERR_LOG_MALFORMED") {
    this.text = text;
    this.code = code;
  }
}
