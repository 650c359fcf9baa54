import { createHash } from 'node:crypto';
import type { Container } from '@azure/cosmos';

/** A half-open range of effective partition keys. */
export interface KeyRange {
  minInclusive: string;
  maxExclusive: string;
}

/** How far one range of a container has been read; an item of the lease container. */
export interface Lease {
  id: string;
  /** What belongs together: one function's leases on one container. */
  owner: string;
  range: KeyRange;
  /** The SDK's token; null until the first answer. */
  continuation: string | null;
  /** Where to begin while there is no token. */
  startFrom: 'beginning' | 'now';
  /** ISO 8601 UTC. */
  updatedAt: string;
}

/** Leases of one function, as items in the lease container. */
export class LeaseStore {
  readonly #container: Container;
  readonly #owner: string;

  /** `owner` tells the leases of one function and container from all others in the lease container. */
  constructor(container: Container, owner: string) {
    this.#container = container;
    this.#owner = owner;
  }

  async load(): Promise<Lease[]> {
    const query = {
      query: 'SELECT * FROM c WHERE c.owner = @owner',
      parameters: [{ name: '@owner', value: this.#owner }],
    };
    const { resources } = await this.#container.items.query<Lease>(query).fetchAll();
    return resources.map(({ id, owner, range, continuation, startFrom, updatedAt }) => ({
      id,
      owner,
      range,
      continuation,
      startFrom,
      updatedAt,
    }));
  }

  make(range: KeyRange, startFrom: Lease['startFrom'], continuation: string | null): Lease {
    const hash = createHash('sha256')
      .update(`${this.#owner}|${range.minInclusive}|${range.maxExclusive}`)
      .digest('hex');
    return {
      id: `${this.#owner}..${hash.slice(0, 16)}`,
      owner: this.#owner,
      range,
      continuation,
      startFrom,
      updatedAt: new Date().toISOString(),
    };
  }

  async save(lease: Lease): Promise<void> {
    lease.updatedAt = new Date().toISOString();
    await this.#container.items.upsert(lease);
  }

  /** Children first: a crash in between leaves both, and reading twice is allowed while losing is not. */
  async replace(parent: Lease, children: readonly Lease[]): Promise<void> {
    for (const child of children) await this.save(child);
    await this.#container.item(parent.id, parent.id).delete();
  }
}

interface CompositeToken {
  rid: string;
  Continuation: (KeyRange & { continuationToken: string })[];
}

/** The parts of a token that covers several ranges after a partition split; undefined when it covers one. */
export function splitToken(token: string): { range: KeyRange; continuation: string }[] | undefined {
  const composite = JSON.parse(token) as CompositeToken;
  if (composite.Continuation.length < 2) return undefined;
  return composite.Continuation.map((part) => ({
    range: { minInclusive: part.minInclusive, maxExclusive: part.maxExclusive },
    continuation: JSON.stringify({ rid: composite.rid, Continuation: [part] }),
  }));
}
