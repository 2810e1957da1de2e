/**
 * What `#files` resolves to in browsers: there are none.
 *
 * @module
 */

import { MisuseError } from "../../src/errors.ts";
import type { LogFeatures } from "../../src/log/client/log_features.ts";
import type { StoreFactory } from "../../src/log/store/store.ts";

/** What a log can do that is given nothing else. */
export const logFeatures: LogFeatures = {};

/** A page has no folders. @throws {MisuseError} (rejects) `ERR_OPTION` */
export function openPlatformFiles({ dir }: { readonly dir: string }): Promise<StoreFactory> {
  return Promise.reject(
    new MisuseError(
      "ERR_OPTION",
      `Cannot use the folder ${dir}: a browser has no files. Leave out "dir" for a log in memory, or give ` +
        `"stores" of your own`,
    ),
  );
}
