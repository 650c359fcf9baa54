/** Where a URI of the namespace points: its host with port, and its path in lower case without slashes at the ends. */
export interface ResourceUri {
  /** Undefined when the text holds a bare path. */
  readonly host?: string;
  readonly path: string;
}

export function parseResourceUri(uri: string): ResourceUri {
  const match = /^[a-z]+:\/\/([^/?#]*)([^?#]*)/i.exec(uri);
  return match
    ? { host: (match[1] ?? '').toLowerCase(), path: cleanPath(match[2] ?? '') }
    : { path: cleanPath(uri.replace(/[?#].*$/, '')) };
}

/** A scope reaches itself and everything below it: `d1` reaches `d1/$management` and not `d10`. */
export const reaches = (scope: string, path: string): boolean =>
  scope === '' || path === scope || path.startsWith(`${scope}/`);

/** The path, then each parent, and last the empty path of the namespace. */
export function* upwards(path: string): Generator<string> {
  for (let at = path; at !== ''; at = at.slice(0, Math.max(at.lastIndexOf('/'), 0))) yield at;
  yield '';
}

const cleanPath = (path: string): string => path.replace(/^\/+|\/+$/g, '').toLowerCase();
