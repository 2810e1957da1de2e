/**
 * What `#files` resolves to on Node, Deno and Bun: stores of files. Browsers have adapters/web/files.ts.
 *
 * @module
 */

import { consuming, type LogFeatures, publishing } from "../../src/log/client/log_features.ts";
import type { StoreFactory } from "../../src/log/store/store.ts";
import { detectHost } from "../detect.ts";
import { type FileStoresInit, openFileStores } from "./file_store.ts";

/** What every log can do. */
export const logFeatures: LogFeatures = { publishing, consuming };

/** A folder, and what a `DiskStores` takes besides. */
export type PlatformFilesInit = Omit<FileStoresInit, "host"> & Partial<Pick<FileStoresInit, "host">>;

/** Opens a folder with the host of this runtime, if none is given. */
export function openPlatformFiles(
  { host = detectHost(), ...rest }: PlatformFilesInit,
): Promise<StoreFactory> {
  return openFileStores({ ...rest, host });
}
