import { notImitated } from '../errors.ts';
import { type CosmosRequest, header, isSet } from './exchange.ts';

/** What a request may need: knowing what exists, reading or writing items, changing what exists, or the master key. */
export type Access = 'metadata' | 'read' | 'write' | 'control' | 'masterKey';

/** A request, named. The names are those of the counters and of the faults. */
export type OperationKind =
  | 'readAccount'
  | 'listDatabases'
  | 'createDatabase'
  | 'readDatabase'
  | 'deleteDatabase'
  | 'listContainers'
  | 'createContainer'
  | 'readContainer'
  | 'replaceContainer'
  | 'deleteContainer'
  | 'readPartitionKeyRanges'
  | 'createItem'
  | 'upsertItem'
  | 'readItem'
  | 'replaceItem'
  | 'patchItem'
  | 'deleteItem'
  | 'deletePartition'
  | 'batch'
  | 'bulk'
  | 'query'
  | 'queryPlan'
  | 'listItems'
  | 'changeFeed'
  | 'readCounters'
  | 'resetCounters'
  | 'readFaults'
  | 'setFaults'
  | 'splitPartitions';

export interface Operation {
  readonly kind: OperationKind;
  readonly database: string;
  readonly container: string;
  readonly item: string;
}

export const accessOf: Readonly<Record<OperationKind, Access>> = {
  readAccount: 'metadata',
  listDatabases: 'metadata',
  createDatabase: 'control',
  readDatabase: 'metadata',
  deleteDatabase: 'control',
  listContainers: 'metadata',
  createContainer: 'control',
  readContainer: 'metadata',
  replaceContainer: 'control',
  deleteContainer: 'control',
  readPartitionKeyRanges: 'metadata',
  createItem: 'write',
  upsertItem: 'write',
  readItem: 'read',
  replaceItem: 'write',
  patchItem: 'write',
  deleteItem: 'write',
  deletePartition: 'write',
  batch: 'write',
  bulk: 'write',
  query: 'read',
  queryPlan: 'read',
  listItems: 'read',
  changeFeed: 'read',
  readCounters: 'masterKey',
  resetCounters: 'masterKey',
  readFaults: 'masterKey',
  setFaults: 'masterKey',
  splitPartitions: 'masterKey',
};

/** Whether a request drives the stand-in itself. Faults never meet such a one, or nobody could end them. */
export const isControl = ({ kind }: Operation): boolean => accessOf[kind] === 'masterKey';

/** What a fault can be asked for. */
export const faultyKinds: ReadonlySet<string> = new Set(
  Object.entries(accessOf).flatMap(([kind, access]) => (access === 'masterKey' ? [] : [kind])),
);

const byRoute: Readonly<Partial<Record<string, OperationKind>>> = {
  'GET ': 'readAccount',
  'GET dbs': 'listDatabases',
  'POST dbs': 'createDatabase',
  'GET dbs/*': 'readDatabase',
  'DELETE dbs/*': 'deleteDatabase',
  'GET dbs/*/colls': 'listContainers',
  'POST dbs/*/colls': 'createContainer',
  'GET dbs/*/colls/*': 'readContainer',
  'PUT dbs/*/colls/*': 'replaceContainer',
  'DELETE dbs/*/colls/*': 'deleteContainer',
  'GET dbs/*/colls/*/pkranges': 'readPartitionKeyRanges',
  'GET dbs/*/colls/*/docs/*': 'readItem',
  'PUT dbs/*/colls/*/docs/*': 'replaceItem',
  'PATCH dbs/*/colls/*/docs/*': 'patchItem',
  'DELETE dbs/*/colls/*/docs/*': 'deleteItem',
  'GET _local/counters': 'readCounters',
  'POST _local/counters/reset': 'resetCounters',
  'GET _local/faults': 'readFaults',
  'POST _local/faults': 'setFaults',
  'POST _local/split': 'splitPartitions',
};

/** Names a request. Throws 400 for what this stand-in does not do. */
export function identify(request: CosmosRequest): Operation {
  const { segments, method } = request;
  const isLocal = segments[0] === '_local';
  const pattern = segments.map((one, index) => (index % 2 === 1 && !isLocal ? '*' : one)).join('/');
  const kind = kindOf(request, `${method} ${pattern}`);
  const [, database = '', , container = '', , item = ''] = segments;
  return { kind, database, container, item };
}

function kindOf(request: CosmosRequest, route: string): OperationKind {
  if (route.startsWith('POST dbs') && !route.endsWith('/docs') && isQuery(request)) {
    throw notImitated('A query over databases or containers (list them instead)');
  }
  if (route === 'POST dbs/*/colls/*/docs') return kindOfPost(request);
  if (route === 'GET dbs/*/colls/*/docs')
    return header(request, 'a-im') === undefined ? 'listItems' : 'changeFeed';
  if (route === 'POST dbs/*/colls/*/operations/*' && request.segments[5] === 'partitionkeydelete') {
    return 'deletePartition';
  }
  const kind = byRoute[route];
  if (kind === undefined) throw notImitated(`${request.method} /${request.segments.join('/')}`);
  return kind;
}

function kindOfPost(request: CosmosRequest): OperationKind {
  if (isSet(request, 'x-ms-cosmos-is-query-plan-request')) return 'queryPlan';
  if (isQuery(request)) return 'query';
  if (isSet(request, 'x-ms-cosmos-is-batch-request')) {
    return isSet(request, 'x-ms-cosmos-batch-atomic') ? 'batch' : 'bulk';
  }
  return isSet(request, 'x-ms-documentdb-is-upsert') ? 'upsertItem' : 'createItem';
}

function isQuery(request: CosmosRequest): boolean {
  return (
    isSet(request, 'x-ms-documentdb-isquery') ||
    (header(request, 'content-type') ?? '').includes('query+json')
  );
}
