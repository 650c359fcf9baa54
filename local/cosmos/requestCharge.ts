/**
 * Estimates of request units, for comparing designs and not for bills: a point read costs 1 per started KB, a write 5
 * per started KB and a little per operation. The service's own numbers depend on indexes and the number of properties.
 */

const kilobytes = (size: number) => Math.max(1, Math.ceil(size / 1024));

/** Strong and bounded-staleness reads ask two replicas and cost twice. */
const consistencyFactor = (strongRead: boolean) => (strongRead ? 2 : 1);

export function readCharge(size: number, strongRead: boolean): number {
  return kilobytes(size) * consistencyFactor(strongRead);
}

/** A replace takes the old item out of the index and puts the new one in. */
export function writeCharge(kind: 'create' | 'replace' | 'upsert' | 'delete', size: number): number {
  return kind === 'replace' ? 10 * kilobytes(size) + 0.5 : 5 * kilobytes(size) + 0.5;
}

/** `read` = items loaded to find the answer, `size` = bytes of the answer. */
export function queryCharge(read: number, size: number, strongRead: boolean): number {
  return (2.3 + read * 0.05 + (size / 1024) * 0.5) * consistencyFactor(strongRead);
}

export function changeFeedCharge(size: number, strongRead: boolean): number {
  return (1 + size / 1024) * consistencyFactor(strongRead);
}

/** Accounts, databases, containers and ranges. */
export const metadataCharge = 1;
/** A refused request still costs. */
export const refusalCharge = 1.24;
