import type { Right } from '../config.ts';
import { upwards } from './scope.ts';

/** What one accepted token allows: rights on a path and everything below it. */
export interface Grant {
  readonly path: string;
  readonly rights: readonly Right[];
  /** Ms since 1970. */
  readonly expiresAt: number;
}

/**
 * The grants of one connection. A map by path and right, because a connection with thousands of links has thousands of
 * grants, and every check would have to scan a list.
 */
export class Grants {
  readonly #expiry = new Map<string, number>();

  add(grant: Grant): void {
    for (const right of grant.rights) {
      const key = `${right}|${grant.path}`;
      this.#expiry.set(key, Math.max(this.#expiry.get(key) ?? 0, grant.expiresAt));
    }
  }

  allows(path: string, right: Right): boolean {
    const now = Date.now();
    for (const at of upwards(path.toLowerCase())) {
      if ((this.#expiry.get(`${right}|${at}`) ?? 0) > now) return true;
      // Manage includes the other two.
      if ((this.#expiry.get(`Manage|${at}`) ?? 0) > now) return true;
    }
    return false;
  }

  /** Ms since 1970, or infinity when there is no grant. */
  nextExpiry(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const expiresAt of this.#expiry.values()) next = Math.min(next, expiresAt);
    return next;
  }

  forgetExpired(): void {
    const now = Date.now();
    for (const [key, expiresAt] of this.#expiry) if (expiresAt <= now) this.#expiry.delete(key);
  }
}
