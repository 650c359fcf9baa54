import type { Account } from '../account.ts';
import { badRequest } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { metadataCharge } from '../requestCharge.ts';
import type { Container } from '../store/catalogue.ts';
import { describeAccount } from './account.ts';
import { type Answer, type CosmosRequest, jsonAnswer, jsonBody, objectBody } from './exchange.ts';
import { answerItemOperation } from './itemOperations.ts';
import type { Operation } from './operations.ts';

/** Does what a request asks for. Throws CosmosError for refusals. */
export async function answer(
  account: Account,
  endpoint: string,
  operation: Operation,
  request: CosmosRequest,
): Promise<Answer> {
  const { catalogue, counters } = account;
  const { kind, database, container } = operation;
  const gone: Answer = { status: 204, charge: metadataCharge };
  const ok = (body: JsonObject, status = 200) => jsonAnswer(status, body, metadataCharge);
  switch (kind) {
    case 'readAccount':
      return ok(describeAccount(endpoint));
    case 'listDatabases':
      return ok(
        list(
          '',
          'Databases',
          catalogue.databases().map((one) => one.body),
        ),
      );
    case 'createDatabase':
      return ok((await catalogue.createDatabase(objectBody(request))).body, 201);
    case 'readDatabase':
      return ok(catalogue.database(database).body);
    case 'deleteDatabase':
      await catalogue.deleteDatabase(database);
      return gone;
    case 'listContainers': {
      const owner = catalogue.database(database);
      const bodies = [...owner.containers.values()].map((one) => one.body);
      return ok(list(String(owner.body._rid), 'DocumentCollections', bodies));
    }
    case 'createContainer':
      return ok((await catalogue.createContainer(database, objectBody(request))).body, 201);
    case 'readContainer':
      return ok(catalogue.container(database, container).body);
    case 'replaceContainer':
      return ok((await catalogue.replaceContainer(database, container, objectBody(request))).body);
    case 'deleteContainer':
      await catalogue.deleteContainer(database, container);
      return gone;
    case 'readPartitionKeyRanges':
      return partitionKeyRanges(catalogue.container(database, container));
    case 'readCounters':
      return { status: 200, body: JSON.stringify(counters.read()), charge: 0 };
    case 'resetCounters':
      counters.reset();
      return { status: 204, charge: 0 };
    case 'readFaults':
      return { status: 200, body: JSON.stringify(account.faults.list()), charge: 0 };
    case 'setFaults':
      account.faults.set(jsonBody(request));
      return { status: 204, charge: 0 };
    case 'splitPartitions': {
      const wanted = objectBody(request);
      if (typeof wanted.database !== 'string' || typeof wanted.container !== 'string') {
        throw badRequest('Say which { database, container } to split.');
      }
      await catalogue.split(catalogue.container(wanted.database, wanted.container));
      return { status: 204, charge: 0 };
    }
    default:
      return answerItemOperation(account, operation, request);
  }
}

function list(rid: string, name: string, bodies: readonly JsonObject[]): JsonObject {
  return { _rid: rid, [name]: [...bodies], _count: bodies.length };
}

function partitionKeyRanges(container: Container): Answer {
  const ranges = container.partitions.map((one) => ({
    id: one.id,
    minInclusive: one.minInclusive,
    maxExclusive: one.maxExclusive,
    parents: [...one.parents],
    status: 'online',
    throughputFraction: 1 / container.partitions.length,
    _rid: `${container.rid}-${one.id}`,
    _etag: '"0"',
    _ts: 1,
  }));
  return {
    status: 200,
    body: JSON.stringify(list(container.rid, 'PartitionKeyRanges', ranges)),
    // Changes with every split, which is how the SDK's cache notices one.
    headers: { etag: `"${container.partitions[0]?.id ?? '0'}"` },
    charge: metadataCharge,
  };
}
