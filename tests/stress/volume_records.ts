/**
 * The records of a volume run.
 *
 * @module
 */

/** Bytes of one record's value. */
export const RECORD_BYTES = 1_024;
/** The only publisher's number, and what its records are made from. */
export const PUBLISHER = 0;
export const SEED = "volume";
/** Milliseconds between two reports. */
export const REPORT_MS = 100;
