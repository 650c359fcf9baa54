import { DurableRefusal } from './refusal.ts';

/** Characters that neither an instance id nor the key of an entity may hold. */
export const forbiddenInIds = /[/\\#?\u0000-\u001f\u007f-\u009f]/;

/** @throws {DurableRefusal} 400 for an id that Azure does not take. */
export function checkInstanceId(id: string): void {
  if (id.startsWith('@') || forbiddenInIds.test(id)) {
    throw new DurableRefusal(
      400,
      'Orchestration instance ids must not start with @ or contain /, \\, #, ?, or control characters.',
    );
  }
  if (id.length > 100) throw new DurableRefusal(400, 'Instance ID lengths must not exceed 100 characters.');
}
