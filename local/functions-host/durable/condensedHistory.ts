import type { HistoryEvent } from './history.ts';
import { EventType } from './history.ts';
import { parsed } from './requestValues.ts';

const eventNames = new Map<number, string>(Object.entries(EventType).map(([name, number]) => [number, name]));
const leftOut = new Set<number>([
  EventType.OrchestratorStarted,
  EventType.OrchestratorCompleted,
  EventType.TaskScheduled,
  EventType.SubOrchestrationInstanceCreated,
  EventType.TimerCreated,
]);

const schedules = new Set<number>([EventType.TaskScheduled, EventType.SubOrchestrationInstanceCreated]);

/** History as the API shows it: names instead of numbers, scheduling folded into completions. */
export function condensed(history: readonly HistoryEvent[], withOutput: boolean): Record<string, unknown>[] {
  const scheduled = new Map<number, HistoryEvent>();
  for (const event of history) if (schedules.has(event.EventType)) scheduled.set(event.EventId, event);
  return history
    .filter((event) => !leftOut.has(event.EventType))
    .map((event) => {
      const {
        EventType: type,
        EventId: _id,
        IsPlayed: _played,
        TaskScheduledId,
        TimerId: _timer,
        Result,
        ...shown
      } = event;
      const origin = TaskScheduledId === undefined ? undefined : scheduled.get(TaskScheduledId);
      return {
        EventType: eventNames.get(type) ?? String(type),
        ...shown,
        ...(withOutput && Result !== undefined && { Result: parsed(Result) }),
        ...(origin !== undefined && { FunctionName: origin.Name, ScheduledTime: origin.Timestamp }),
      };
    });
}
