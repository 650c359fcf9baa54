import { DomainError } from '../domainError.ts';

export const longestFileName = 100;

/** Names that Windows keeps for devices, with or without an extension. */
const reserved = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/**
 * Whether `name` can be a file's name on every platform: letters a to z, digits, `-`, `_` and `.`, at most 100 of them. It does
 * not begin with `-`, which a line takes for a flag, and not end with `.`, which Windows drops.
 */
export const isFileName = (name: string): boolean =>
  /^[A-Za-z0-9_.][A-Za-z0-9_.-]*$/.test(name) &&
  !name.endsWith('.') &&
  name.length <= longestFileName &&
  !reserved.test(name);

/** Throws for what {@link isFileName} does not take. */
export const refuseFileName = (name: string): void => {
  if (isFileName(name)) return;
  throw new DomainError(
    'LIBRARY_NAME_INVALID',
    `A library file is named with at most ${longestFileName} letters (a to z), digits, "-", "_" and ".". It does not begin with "-" or end with ".", and is no name of a Windows device.`,
    { limit: longestFileName },
  );
};

/** Names that differ in case only are the same name, as they are on the disks of Windows and macOS. */
export const sameFileName = (one: string, other: string): boolean =>
  one.toLowerCase() === other.toLowerCase();
