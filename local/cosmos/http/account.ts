import type { JsonObject } from '../json.ts';

export const defaultConsistency = 'BoundedStaleness';

/** From strongest to weakest; a request may only weaken the account's own level. */
const levels = ['Strong', 'BoundedStaleness', 'Session', 'ConsistentPrefix', 'Eventual'];

export function isStrongerThanAccount(level: string): boolean {
  const rank = levels.indexOf(level);
  return rank === -1 || rank < levels.indexOf(defaultConsistency);
}

/** What `GET /` answers. The SDK sends all further requests to the addresses in it. */
export function describeAccount(endpoint: string): JsonObject {
  const location = [{ name: 'Local', databaseAccountEndpoint: `${endpoint}/` }];
  return {
    _self: '',
    // Any name but 'localhost': to that one the SDK gives no locations, and asks for them again before every request.
    id: 'local',
    _rid: 'local',
    media: '//media/',
    addresses: '//addresses/',
    _dbs: '//dbs/',
    writableLocations: location,
    readableLocations: location,
    enableMultipleWriteLocations: false,
    userReplicationPolicy: { asyncReplication: false, minReplicaSetSize: 3, maxReplicasetSize: 4 },
    userConsistencyPolicy: {
      defaultConsistencyLevel: defaultConsistency,
      maxStalenessPrefix: 100,
      maxIntervalInSeconds: 5,
    },
    systemReplicationPolicy: { minReplicaSetSize: 3, maxReplicasetSize: 4 },
    readPolicy: { primaryReadCoefficient: 1, secondaryReadCoefficient: 1 },
    queryEngineConfiguration: '{}',
  };
}
