import { invalidArgument } from '../brokerError.ts';

/** The longest duration of the protocol, which means "for ever". */
const forEver = 'P10675199DT2H48M5.4775807S';
const forEverMs = 9e14;

/** Ms of an ISO 8601 duration up to days; null for the longest one. Throws BrokerError. */
export function parseDuration(text: string): number | null {
  const match = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/.exec(text);
  if (!match || !/\d/.test(text)) throw invalidArgument(`'${text}' is not an ISO 8601 duration like PT1M.`);
  const [days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0));
  const ms = ((((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0)) * 1000;
  return ms >= forEverMs ? null : Math.round(ms);
}

export const formatDuration = (ms: number | null): string => (ms === null ? forEver : `PT${ms / 1000}S`);
