import { fixedLimits } from '../limits.ts';
import type { SessionCommand } from './commands.ts';
import { isSettled, type OpenCommand, openCommands, type SessionState } from './state.ts';

/** What supervision has to do now, and when to look again. All times are the server's. */
export interface Due {
  /** Decisions to append, in order. */
  readonly decisions: readonly SessionCommand[];
  /** Commands whose delivery is to be made sure of: sent long enough ago and not started. Sending again is harmless. */
  readonly resend: readonly string[];
  /** Milliseconds since 1970; null when nothing is left to supervise. */
  readonly nextLook: number | null;
}

const resendAfterMs = 5_000;
const unstartedLookMs = 10_000;
const openLookMs = 30_000;
const shortestSleepMs = 1_000;

const ms = (iso: string): number => parseIso(iso);

/** `Date.parse` is a function of its argument only, but the global is banned here; UTC ISO 8601 is easy enough to read. */
export const parseIso = (iso: string): number => {
  const match = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,3})\d*)?Z$/.exec(iso);
  if (match === null) throw new Error(`Not a UTC ISO 8601 time: ${iso}`);
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const millisecond = Number((match[7] ?? '0').padEnd(3, '0'));
  return ((daysSince1970(year, month, day) * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + millisecond;
};

const daysSince1970 = (year: number, month: number, day: number): number => {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return (
    era * 146_097 +
    yearOfEra * 365 +
    Math.floor(yearOfEra / 4) -
    Math.floor(yearOfEra / 100) +
    dayOfYear -
    719_468
  );
};

/**
 * @param heardAt newest sign of life of the device for this session (UTC ISO 8601), null when there was none.
 */
export const dueDecisions = (state: SessionState, heardAt: string | null, now: string): Due => {
  if (state.status === 'none' || isSettled(state)) return { decisions: [], resend: [], nextLook: null };
  const at = ms(now);
  const decisions: SessionCommand[] = [];
  const resend: string[] = [];
  const deadlines: number[] = [];
  const due = (deadline: number, decision: () => void): void => {
    if (at >= deadline) decision();
    else deadlines.push(deadline);
  };

  if (state.status === 'opening') {
    due(ms(state.requestedAt) + state.limits.connect * 1000, () =>
      decisions.push({ type: 'DeclareUnanswered', now }),
    );
  }
  if (state.status === 'connected') {
    const heard = Math.max(ms(state.connectedAt ?? state.requestedAt), heardAt === null ? 0 : ms(heardAt));
    due(heard + fixedLimits.lostAfter * 1000, () =>
      decisions.push({ type: 'DeclareSessionLost', silent: Math.round((at - heard) / 1000), now }),
    );
    if (openCommands(state).length === 0) {
      due(ms(state.activeAt) + state.limits.idle * 1000, () => decisions.push({ type: 'Expire', now }));
    }
  }
  for (const command of openCommands(state)) {
    const { commandId } = command;
    const lose = (reason: 'NOT_STARTED' | 'SILENT' | 'SESSION_ENDED') => () =>
      decisions.push({ type: 'DeclareCommandLost', commandId, reason, now });
    if (state.status === 'ended')
      due(ms(state.endedAt ?? now) + fixedLimits.closingGrace * 1000, lose('SESSION_ENDED'));
    else if (command.startedAt !== null) due(silentDeadline(command, command.startedAt), lose('SILENT'));
    else unstarted(command, at, now, { due, decisions, resend, lose: lose('NOT_STARTED') });
  }
  return { decisions, resend, nextLook: nextLook(state, at, deadlines) };
};

const silentDeadline = (command: OpenCommand, startedAt: string): number =>
  ms(startedAt) + (command.timeLimit + fixedLimits.silenceGrace) * 1000;

const unstarted = (
  command: OpenCommand,
  at: number,
  now: string,
  to: {
    due: (deadline: number, decision: () => void) => void;
    decisions: SessionCommand[];
    resend: string[];
    lose: () => void;
  },
): void => {
  const startDeadline = ms(command.issuedAt) + command.startWithin * 1000;
  if (at >= startDeadline && command.cancelRequestedAt === null) {
    to.decisions.push({
      type: 'RequestCancel',
      commandId: command.commandId,
      reason: 'not-started',
      by: 'system',
      now,
    });
  }
  to.due(startDeadline + fixedLimits.cancelGrace * 1000, to.lose);
  if (at < startDeadline) {
    to.due(startDeadline, () => undefined);
    to.due(ms(command.issuedAt) + resendAfterMs, () => to.resend.push(command.commandId));
  }
};

const nextLook = (state: SessionState, at: number, deadlines: readonly number[]): number => {
  const open = openCommands(state);
  const longest =
    open.length === 0
      ? []
      : [at + (open.some(({ startedAt }) => startedAt === null) ? unstartedLookMs : openLookMs)];
  // While the device may still connect, `session.open` is sent again from time to time.
  const opening = state.status === 'opening' ? [at + unstartedLookMs] : [];
  return Math.max(at + shortestSleepMs, Math.min(...deadlines, ...longest, ...opening, at + 3_600_000));
};
