import { setTimeout as delay } from 'node:timers/promises';
import type {
  ChangeFeedIteratorResponse,
  ChangeFeedPullModelIterator,
  Container,
  FeedRange,
} from '@azure/cosmos';
import { ChangeFeedStartFrom, CosmosClient, StatusCodes } from '@azure/cosmos';
import { describe } from '../log.ts';
import type { RegisteredFunction, RetryPolicy } from '../protocol.ts';
import { expandSettings, resolveConnection } from '../settings.ts';
import type { Lease } from './cosmosLeases.ts';
import { LeaseStore, splitToken } from './cosmosLeases.ts';
import { managedIdentity } from './managedIdentity.ts';
import type { Listener, TriggerContext } from './trigger.ts';

type Item = Record<string, unknown>;
type Page = ChangeFeedIteratorResponse<Item[]>;

const DEFAULT_POLL_MS = 5000;
const RETRY_AFTER_ERROR_MS = 1000;
const DEFAULT_LEASE_CONTAINER = 'leases';

/**
 * Follows the change feed of a container, one loop per lease, and hands each page as an array to the function.
 * @throws when the container or the lease container is missing, or an option is not supported here.
 */
export async function startCosmosFeed(fn: RegisteredFunction, context: TriggerContext): Promise<Listener> {
  const feed = new CosmosFeed(fn, context, await openContainers(fn, context));
  await feed.start();
  return feed;
}

interface Containers {
  monitored: Container;
  leases: LeaseStore;
  close(): void;
}

const refusedOptions: Record<string, string> = {
  startFromTime: 'startFromBeginning',
  connectionStringSetting: 'connection',
  collectionName: 'containerName',
  leaseCollectionName: 'leaseContainerName',
  preferredLocations: 'a single region',
};

async function openContainers(fn: RegisteredFunction, context: TriggerContext): Promise<Containers> {
  const where = `Function '${fn.name}'`;
  const { trigger } = fn;
  for (const [option, instead] of Object.entries(refusedOptions)) {
    if (trigger[option] !== undefined && trigger[option] !== '') {
      throw new Error(
        `${where}: the option '${option}' is not supported by the local Functions host; use ${instead}.`,
      );
    }
  }
  if (trigger.changeFeedMode !== undefined && String(trigger.changeFeedMode) !== 'LatestVersion') {
    throw new Error(
      `${where}: only the change feed mode LatestVersion is supported by the local Functions host.`,
    );
  }
  const option = (name: string, whenMissing: string): string => {
    const value = expandSettings(String(trigger[name] ?? whenMissing), context.settings, `${where}, ${name}`);
    if (value === '') throw new Error(`${where}: ${name} is missing.`);
    return value;
  };
  const connectionName = String(trigger.connection ?? 'AzureWebJobsCosmosDB');
  const client = connect(connectionName, where, context);
  const leaseConnectionName = String(trigger.leaseConnection ?? connectionName);
  const leaseClient =
    leaseConnectionName === connectionName ? client : connect(leaseConnectionName, where, context);
  const databaseName = option('databaseName', '');
  const monitored = client.database(databaseName).container(option('containerName', ''));
  const rid = await containerRid(monitored, where);
  const leaseDatabase = leaseClient.database(option('leaseDatabaseName', databaseName));
  const leaseContainer = leaseDatabase.container(option('leaseContainerName', DEFAULT_LEASE_CONTAINER));
  await requireLeaseContainer(leaseContainer, trigger.createLeaseContainerIfNotExists === true, where);
  const prefix = expandSettings(String(trigger.leaseContainerPrefix ?? ''), context.settings, where);
  return {
    monitored,
    leases: new LeaseStore(leaseContainer, `${prefix}${databaseName}_${rid.replaceAll('/', '-')}`),
    close: () => {
      client.dispose();
      if (leaseClient !== client) leaseClient.dispose();
    },
  };
}

function connect(name: string, where: string, { settings }: TriggerContext): CosmosClient {
  const connection = resolveConnection(settings, name, 'accountEndpoint', where);
  return connection.kind === 'connectionString'
    ? new CosmosClient(connection.value)
    : new CosmosClient({
        endpoint: connection.endpoint,
        aadCredentials: managedIdentity(connection.clientId),
      });
}

/** A container that was deleted and made again has another rid: its feed starts anew instead of failing on old tokens. */
async function containerRid(container: Container, where: string): Promise<string> {
  try {
    const { resource } = await container.read();
    return String(resource?._rid);
  } catch (error) {
    throw new Error(`${where}: the container '${container.id}' cannot be read: ${describe(error)}`);
  }
}

async function requireLeaseContainer(container: Container, create: boolean, where: string): Promise<void> {
  try {
    const { resource } = await container.read();
    const path = resource?.partitionKey?.paths[0];
    if (path !== '/id') {
      throw new Error(
        `${where}: the lease container '${container.id}' must have the partition key /id, it has ${path}.`,
      );
    }
  } catch (error) {
    if ((error as { code?: unknown }).code !== StatusCodes.NotFound) throw error;
    if (!create) {
      throw new Error(
        `${where}: the lease container '${container.id}' does not exist. Create it with the partition key /id, or set createLeaseContainerIfNotExists.`,
      );
    }
    await container.database.containers.createIfNotExists({
      id: container.id,
      partitionKey: { paths: ['/id'] },
    });
  }
}

class CosmosFeed implements Listener {
  readonly #fn: RegisteredFunction;
  readonly #context: TriggerContext;
  readonly #containers: Containers;
  readonly #pollMs: number;
  readonly #maxItems: number | undefined;
  readonly #abort = new AbortController();
  readonly #loops = new Set<Promise<void>>();

  constructor(fn: RegisteredFunction, context: TriggerContext, containers: Containers) {
    this.#fn = fn;
    this.#context = context;
    this.#containers = containers;
    this.#pollMs = Number(fn.trigger.feedPollDelay ?? DEFAULT_POLL_MS);
    const maxItems = Number(fn.trigger.maxItemsPerInvocation ?? 0);
    this.#maxItems = maxItems > 0 ? maxItems : undefined;
  }

  async start(): Promise<void> {
    const { monitored, leases } = this.#containers;
    let known = await leases.load();
    if (known.length === 0) {
      // Only here, before the first lease exists, does startFromBeginning mean anything.
      const startFrom = this.#fn.trigger.startFromBeginning === true ? 'beginning' : 'now';
      const ranges = await monitored.getFeedRanges();
      known = ranges.map(({ minInclusive, maxExclusive }) =>
        leases.make({ minInclusive, maxExclusive }, startFrom, null),
      );
      await Promise.all(known.map((lease) => this.#begin(lease)));
    }
    for (const lease of known) this.#follow(lease);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    while (this.#loops.size > 0) await Promise.allSettled(this.#loops);
    this.#containers.close();
  }

  /** "From now" must hold from the start on, not from the first change: so the token of now is stored at once. */
  async #begin(lease: Lease): Promise<void> {
    if (lease.startFrom === 'now') {
      const page = await (await this.#open(lease)).readNext();
      if (page.statusCode === StatusCodes.NotModified) lease.continuation = page.continuationToken;
    }
    await this.#containers.leases.save(lease);
  }

  async #open(lease: Lease): Promise<ChangeFeedPullModelIterator<Item>> {
    const { range, continuation, startFrom } = lease;
    const changeFeedStartFrom =
      continuation !== null
        ? ChangeFeedStartFrom.Continuation(continuation)
        : startFrom === 'beginning'
          ? ChangeFeedStartFrom.Beginning(await this.#feedRange(range))
          : ChangeFeedStartFrom.Now(await this.#feedRange(range));
    return this.#containers.monitored.items.getChangeFeedIterator<Item>({
      changeFeedStartFrom,
      ...(this.#maxItems !== undefined && { maxItemCount: this.#maxItems }),
    });
  }

  /** The SDK takes only ranges of its own making; the one made here is dressed as its kind. */
  async #feedRange(range: Lease['range']): Promise<FeedRange> {
    const [own] = await this.#containers.monitored.getFeedRanges();
    if (own === undefined) throw new Error(`${this.#fn.name}: the container has no feed ranges.`);
    return Object.assign(Object.create(Object.getPrototypeOf(own) as object), range) as FeedRange;
  }

  #follow(lease: Lease): void {
    const loop: Promise<void> = this.#read(lease).finally(() => this.#loops.delete(loop));
    this.#loops.add(loop);
  }

  async #read(lease: Lease): Promise<void> {
    const { signal } = this.#abort;
    let failing = false;
    let iterator: ChangeFeedPullModelIterator<Item> | undefined;
    while (!signal.aborted) {
      try {
        iterator ??= await this.#open(lease);
        const page = await iterator.readNext();
        if (failing) this.#context.log.info('host', `${this.#fn.name}: the change feed is read again`);
        failing = false;
        const changed = page.statusCode !== StatusCodes.NotModified && page.count > 0;
        if (changed && !(await this.#deliver(page))) return;
        if (await this.#checkpoint(lease, page, changed)) return;
        if (!changed) await this.#pause(this.#pollMs);
      } catch (error) {
        if (signal.aborted) return;
        if (!failing) {
          this.#context.log.warn(
            'host',
            `${this.#fn.name}: the change feed cannot be read, trying again every ${RETRY_AFTER_ERROR_MS} ms: ${describe(error)}`,
          );
        }
        failing = true;
        await this.#pause(RETRY_AFTER_ERROR_MS);
        iterator = undefined; // what was read and not checkpointed comes again
      }
    }
  }

  /** Stores how far the lease is; true when a split ended it and its children go on. */
  async #checkpoint(lease: Lease, page: Page, changed: boolean): Promise<boolean> {
    const { leases } = this.#containers;
    const parts = splitToken(page.continuationToken);
    if (parts !== undefined) {
      const children = parts.map(({ range, continuation }) =>
        leases.make(range, lease.startFrom, continuation),
      );
      await leases.replace(lease, children);
      for (const child of children) this.#follow(child);
      return true;
    }
    if (changed || lease.continuation === null) {
      lease.continuation = page.continuationToken;
      await leases.save(lease);
    }
    return false;
  }

  /** Hands the page to the function until the policy is used up; false when the host stops before that. */
  async #deliver(page: Page): Promise<boolean> {
    const { retry } = this.#fn;
    const maxRetryCount = retry?.maxRetryCount ?? 0;
    let lastError = '';
    for (let retryCount = 0; ; retryCount += 1) {
      try {
        await this.#context.invoke(this.#fn, {
          inputData: [
            { name: this.#fn.trigger.name, data: { json: JSON.stringify(page.result) } },
            ...this.#context.extraInputs(this.#fn),
          ],
          ...(retryCount > 0 && {
            retryContext: { retryCount, maxRetryCount, exception: { message: lastError } },
          }),
        });
        return true;
      } catch (error) {
        if (this.#abort.signal.aborted) return false;
        lastError = describe(error);
        if (maxRetryCount !== -1 && retryCount >= maxRetryCount) {
          this.#reportLoss(page, lastError);
          return true;
        }
        this.#context.log.error(
          'host',
          `${this.#fn.name} failed on ${page.count} changes and is tried again: ${lastError}`,
        );
        await this.#pause(retryDelayMs(retry, retryCount));
        if (this.#abort.signal.aborted) return false;
      }
    }
  }

  #reportLoss(page: Page, reason: string): void {
    const why = this.#fn.retry === undefined ? 'it has no retry policy' : 'its retry policy is used up';
    this.#context.log.error(
      'host',
      `${this.#fn.name} LOST ${page.count} changes: it failed, ${why}, and the feed goes on, as on Azure. ${reason}`,
    );
  }

  async #pause(milliseconds: number): Promise<void> {
    await delay(milliseconds, undefined, { signal: this.#abort.signal }).catch(() => undefined);
  }
}

function retryDelayMs(policy: RetryPolicy | undefined, retryCount: number): number {
  const seconds = (interval: { seconds?: number } | undefined) => (interval?.seconds ?? 0) * 1000;
  if (policy?.strategy !== 'exponentialBackoff') return seconds(policy?.delayInterval);
  return Math.min(seconds(policy.minimumInterval) * 2 ** retryCount, seconds(policy.maximumInterval));
}
