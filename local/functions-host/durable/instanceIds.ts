import { DurableRefusal } from './refusal.ts';

/** @throws {DurableRefusal} 400 for an id that Azure does not take. */
export function checkInstanceId(id: string): void {
  if (id.startsWith('@') || /[/\\#?\u0000-\u001f\u007f-\u009f]/.test(id)) {
    throw new DurableRefusal(
      400,
      'Orchestration instance ids must not start with @ or contain /, \\, #, ?, or control characters.',
    );
  }
  if (id.length > 100) throw new DurableRefusal(400, 'Instance ID lengths must not exceed 100 characters.');
}
