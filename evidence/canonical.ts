import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';

/** RFC 8785 form of a JSON value. Throws for what JSON cannot hold. */
export const canonicalForm = (value: unknown): string => {
  const form = canonicalize(value);
  if (form === undefined) throw new TypeError('This value has no JSON form.');
  return form;
};

/** SHA-256 in lower-case hex. Text is taken as UTF-8. */
export const sha256 = (content: string | Uint8Array): string =>
  createHash('sha256').update(content).digest('hex');
