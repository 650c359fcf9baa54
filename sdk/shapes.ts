import * as z from 'zod';
import { keySet, sha256Hex, text } from '../contracts/device.ts';
import { envelope } from '../contracts/http.ts';

/** A file that a session brought in. */
export const collectedFile = z.object({
  fileId: z.string(),
  commandId: z.string(),
  name: z.string(),
  path: text,
  size: z.number().int(),
  sha256: sha256Hex,
  collectedAt: z.string(),
});
export type CollectedFile = z.infer<typeof collectedFile>;

export const fileList = z.object({ files: z.array(collectedFile) });
export const keySets = z.object({ keySets: z.array(keySet) });

/** Checks without changing: a hash is over what was sent, not over what a schema left of it. */
export const untouchedEventPage = z.unknown().transform((value, context) => {
  const page = z.object({ events: z.array(envelope), next: z.number().int(), complete: z.boolean() });
  const checked = page.safeParse(value);
  if (checked.success) return value as z.infer<typeof page>;
  context.issues.push({ code: 'custom', message: checked.error.message, input: value });
  return z.NEVER;
});
