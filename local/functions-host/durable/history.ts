/** History events of an orchestration, as `durable-functions` 3.x reads them. Numbers are part of the contract. */
export const EventType = {
  ExecutionStarted: 0,
  ExecutionCompleted: 1,
  ExecutionTerminated: 3,
  TaskScheduled: 4,
  TaskCompleted: 5,
  TaskFailed: 6,
  SubOrchestrationInstanceCreated: 7,
  SubOrchestrationInstanceCompleted: 8,
  SubOrchestrationInstanceFailed: 9,
  TimerCreated: 10,
  TimerFired: 11,
  OrchestratorStarted: 12,
  OrchestratorCompleted: 13,
  EventSent: 14,
  EventRaised: 15,
  ContinueAsNew: 16,
  ExecutionSuspended: 19,
  ExecutionResumed: 20,
} as const;

export type EventNumber = (typeof EventType)[keyof typeof EventType];

export interface HistoryEvent {
  EventType: EventNumber;
  EventId: number;
  IsPlayed: boolean;
  /** ISO 8601 UTC. */
  Timestamp: string;
  Name?: string;
  Version?: string;
  /** JSON text. */
  Input?: string | null;
  /** JSON text; plain text in the ExecutionCompleted of a failed instance. */
  Result?: string | null;
  TaskScheduledId?: number;
  TimerId?: number;
  FireAt?: string;
  Reason?: string | null;
  Details?: string | null;
  OrchestrationStatus?: RuntimeStatus;
  OrchestrationInstance?: { InstanceId: string; ExecutionId: string };
  ParentInstance?: {
    Name: string;
    Version: string;
    OrchestrationInstance: { InstanceId: string; ExecutionId: string };
    TaskScheduleId: number;
  } | null;
  /** Of a sub-orchestration or of the receiver of a sent event. */
  InstanceId?: string;
  Tags?: null;
}

/** An event before it is put into a history. */
export type EventBody = Omit<HistoryEvent, 'EventId' | 'IsPlayed' | 'Timestamp'> & { EventId?: number };

export type RuntimeStatus =
  'Pending' | 'Running' | 'Suspended' | 'Completed' | 'Failed' | 'Terminated' | 'ContinuedAsNew';

export const isTerminal = (status: RuntimeStatus): boolean =>
  status === 'Completed' || status === 'Failed' || status === 'Terminated';

export const inHistory = (body: EventBody, at = new Date()): HistoryEvent => ({
  EventId: -1,
  IsPlayed: false,
  Timestamp: at.toISOString(),
  ...body,
});

const decisionTypes = new Set<number>([
  EventType.TaskScheduled,
  EventType.SubOrchestrationInstanceCreated,
  EventType.TimerCreated,
  EventType.EventSent,
]);

/** The history in one line, `12 0 4#0 13 | 12 5>0 1 13`: `#` the event's own id, `>` the id it answers, `|` a step. */
export function outline(history: readonly HistoryEvent[]): string {
  return history
    .map((event, index) => {
      const { EventType: type } = event;
      const separator = type === EventType.OrchestratorStarted && index > 0 ? '| ' : '';
      if (decisionTypes.has(type)) return `${separator}${type}#${event.EventId}`;
      const answers = event.TaskScheduledId ?? event.TimerId;
      return `${separator}${type}${answers === undefined ? '' : `>${answers}`}`;
    })
    .join(' ');
}
