import * as z from 'zod';
import { envelope } from '../contracts/http.ts';

/** Checks without changing: a hash is over what was sent, not over what a schema left of it. */
export const untouchedEventPage = z.unknown().transform((value, context) => {
  const page = z.object({ events: z.array(envelope), next: z.number().int(), complete: z.boolean() });
  const checked = page.safeParse(value);
  if (checked.success) return value as z.infer<typeof page>;
  context.issues.push({ code: 'custom', message: checked.error.message, input: value });
  return z.NEVER;
});
