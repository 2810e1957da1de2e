// What a failed assertion prints: values, and where two values differ.
import { inspect } from "node:util";

const LINES_MAX = 400;
const BYTES_SHOWN = 32;

/** A value as one would write it, cut to a length that a terminal survives. */
export function format(value) {
  const text = inspect(value, {
    depth: 12,
    sorted: true,
    maxArrayLength: 200,
    maxStringLength: 4096,
    breakLength: 100,
  });
  return text.length > 20_000 ? `${text.slice(0, 20_000)}… (${text.length} characters)` : text;
}

/** Lines with `-` for what was got and `+` for what was expected. */
export function difference(actual, expected) {
  if (actual instanceof Uint8Array && expected instanceof Uint8Array) return byteDifference(actual, expected);
  const left = lines(actual);
  const right = lines(expected);
  const note = left.join("\n") === right.join("\n")
    ? "\n    (both print alike: they differ in type, prototype, or below the printed depth)"
    : "";
  const body = left.length > LINES_MAX || right.length > LINES_MAX
    ? [...clip(left).map((line) => `-   ${line}`), ...clip(right).map((line) => `+   ${line}`)]
    : lineDifference(left, right);
  return `\n    [Diff] Actual (-) / Expected (+)\n\n${body.join("\n")}${note}\n`;
}

function lines(value) {
  // Multi-line strings are compared line by line; everything else one property a line.
  if (typeof value === "string" && value.includes("\n")) {
    return value.split("\n").map((line) => JSON.stringify(line));
  }
  const wide = inspect(value, {
    depth: 12,
    sorted: true,
    compact: false,
    maxArrayLength: 1000,
    breakLength: 100,
  });
  return wide.split("\n");
}

function clip(all) {
  return all.length > LINES_MAX ? [...all.slice(0, LINES_MAX), `… (${all.length} lines)`] : all;
}

/** Longest common subsequence: small inputs only, see LINES_MAX. */
function lineDifference(left, right) {
  const width = right.length + 1;
  const table = new Uint32Array((left.length + 1) * width);
  for (let row = left.length - 1; row >= 0; row--) {
    for (let column = right.length - 1; column >= 0; column--) {
      table[row * width + column] = left[row] === right[column]
        ? table[(row + 1) * width + column + 1] + 1
        : Math.max(table[(row + 1) * width + column], table[row * width + column + 1]);
    }
  }
  const output = [];
  let row = 0;
  let column = 0;
  while (row < left.length || column < right.length) {
    if (row < left.length && column < right.length && left[row] === right[column]) {
      output.push(`    ${left[row]}`);
      row++;
      column++;
    } else if (
      column >= right.length ||
      (row < left.length && table[(row + 1) * width + column] >= table[row * width + column + 1])
    ) {
      output.push(`-   ${left[row++]}`);
    } else {
      output.push(`+   ${right[column++]}`);
    }
  }
  return output;
}

function byteDifference(actual, expected) {
  let index = 0;
  while (index < actual.length && index < expected.length && actual[index] === expected[index]) index++;
  const from = Math.max(0, index - 8);
  return `\n    ${actual.length} bytes against ${expected.length} expected; the first difference is at index ${index}\n` +
    `-   ${hex(actual, from)}\n+   ${hex(expected, from)}\n`;
}

function hex(bytes, from) {
  const shown = Array.from(
    bytes.subarray(from, from + BYTES_SHOWN),
    (byte) => byte.toString(16).padStart(2, "0"),
  );
  const rest = bytes.length - from - shown.length;
  return `${from > 0 ? `[${from}…] ` : ""}${shown.join(" ")}${rest > 0 ? ` … ${rest} more` : ""}`;
}
