import { describe, expect, it } from 'vitest';
import { messagesQueue, presenceQueue } from '../../contracts/device.ts';
import { readSettings } from '../../functions/settings.ts';
import { blobContainers, containers, upwardQueues } from '../../local/cloud.ts';
import { at, ofType, readJson, readText, resources, variablesOf } from './template.ts';

const containersType = 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers';
const namespaces = 'Microsoft.ServiceBus/namespaces';
const storageAccounts = 'Microsoft.Storage/storageAccounts';
const assignments = ofType('Microsoft.Authorization/roleAssignments');
const dataOwnerOfDevices = '090c5cfd-751d-490a-894a-3ce6f1109419';

const roleNames: Readonly<Record<string, string>> = {
  '3913510d-42f4-4e42-8a64-420c390055eb': 'Monitoring Metrics Publisher',
  '12338af0-0e69-4776-bea7-57ae8d297424': 'Key Vault Crypto User',
  '4633458b-17de-408a-b874-0445c86b69e6': 'Key Vault Secrets User',
  [dataOwnerOfDevices]: 'Azure Service Bus Data Owner',
  'db58b8e5-c6ad-4a2a-8342-4190687cbf4a': 'Storage Blob Delegator',
  'ba92f5b4-2d11-453d-a403-e96b0029c9fe': 'Storage Blob Data Contributor',
  '974c5e8b-45b9-4653-ba55-5f855dd0fb88': 'Storage Queue Data Contributor',
  '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3': 'Storage Table Data Contributor',
  '0ad04412-c4d5-4796-b79c-f76d14c8d402': 'Durable Task Data Contributor',
};
const roleOf = (definition: unknown): string =>
  /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(String(definition))?.[0] ?? String(definition);

describe('the stores', () => {
  it('have exactly the containers that the app uses, partitioned alike', () => {
    const made = ofType(containersType).map(({ properties }) => {
      const { id, partitionKey, defaultTtl } = properties['resource'] as {
        id: string;
        partitionKey: { paths: string[] };
        defaultTtl?: number;
      };
      return { id, partitionKey: partitionKey.paths[0], ...(defaultTtl === undefined ? {} : { defaultTtl }) };
    });
    const byId = (a: { id: string }, b: { id: string }) => a.id.localeCompare(b.id);
    expect(made.sort(byId)).toEqual([...containers].sort(byId));
  });

  it('index what queries ask for', () => {
    const policy = (path: string) => JSON.stringify(at(path).properties['resource']);
    expect(policy('store.events')).toContain('/version/?');
    expect(policy('store.events')).toContain('/data/commandId/?');
    expect(policy('store.views')).toContain('/kind/?');
    expect(policy('store.views')).toContain('/sort/?');
  });

  it('decide on Bounded Staleness, in one write region, with continuous backup', () => {
    expect(at('store.account').properties).toMatchObject({
      consistencyPolicy: { defaultConsistencyLevel: 'BoundedStaleness' },
      enableMultipleWriteLocations: false,
      backupPolicy: { type: 'Continuous' },
    });
  });

  it('have exactly the blob containers that the app uses, and anchors that stay', () => {
    const made = ofType(`${storageAccounts}/blobServices/containers`)
      .filter(({ path }) => path.startsWith('evidence.'))
      .map(({ path }) => path.slice('evidence.'.length));
    expect(made.sort()).toEqual([...blobContainers].sort());
    expect(at('evidence.anchorsStay').name).toContain("'anchors'");
  });

  it('have exactly the upward queues that devices use', () => {
    const made = ofType(`${namespaces}/queues`).map(({ name, properties }) => ({
      name: /'(devices~\w+)'/.exec(name)?.[1]?.replace('~', '/'),
      requiresSession: properties['requiresSession'],
      maxDeliveryCount: properties['maxDeliveryCount'],
    }));
    expect(made.map(({ name }) => name).sort()).toEqual([messagesQueue, presenceQueue].sort());
    for (const queue of upwardQueues) {
      expect(made).toContainEqual({
        name: queue.name,
        requiresSession: 'requiresSession' in queue,
        maxDeliveryCount: queue.maxDeliveryCount,
      });
    }
  });
});

describe('least privilege', () => {
  it('gives known roles only, none that owns anything but device namespaces', () => {
    expect(assignments.length).toBeGreaterThan(0);
    for (const { path, scope, properties } of assignments) {
      const role = roleOf(properties['roleDefinitionId']);
      expect(Object.keys(roleNames), path).toContain(role);
      expect(scope, `${path} has a scope of its own`).toContain('resourceId(');
      if (role === dataOwnerOfDevices) expect(path).toBe('deviceNamespaces.owns');
    }
    expect(ofType('Microsoft.Authorization/roleDefinitions')).toEqual([]);
  });

  it('gives the database, not the account, to the app', () => {
    expect(String(at('store.writes').properties['scope'])).toContain('/dbs/');
  });

  it('is what docs/azure.md says', () => {
    const rows = readText('docs/azure.md')
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')))
      .map(([, path, role, why]) => ({ path, role, why }));
    const given = assignments.map(({ path, properties }) => ({
      path,
      role: roleNames[roleOf(properties['roleDefinitionId'])],
      why: properties['description'],
    }));
    expect(rows.filter(({ path }) => path !== 'store.writes')).toEqual(given);
    expect(rows.some(({ path }) => path === 'store.writes')).toBe(true);
  });
});

describe('what keeps others out', () => {
  it('lets nobody in with a key, device namespaces excepted', () => {
    expect(at('store.account').properties['disableLocalAuth']).toBe(true);
    expect(at('observability.insights').properties['DisableLocalAuth']).toBe(true);
    for (const account of ofType(storageAccounts)) {
      expect(account.properties['allowSharedKeyAccess'], account.path).toBe(false);
      expect(account.properties['allowBlobPublicAccess'], account.path).toBe(false);
    }
    for (const policy of ofType('Microsoft.Web/sites/basicPublishingCredentialsPolicies'))
      expect(policy.properties['allow'], policy.path).toBe(false);
    const withKeys = ofType(namespaces).filter(({ properties }) => properties['disableLocalAuth'] !== true);
    expect(withKeys.map(({ path }) => path)).toEqual(['deviceNamespaces.deviceNamespace']);
    const keysRead = resources.filter((resource) => JSON.stringify(resource).includes('listKeys('));
    expect(keysRead.map(({ path }) => path)).toEqual([
      'deviceNamespaces.listenKey',
      'deviceNamespaces.sendKey',
    ]);
  });

  it('gives devices one rule to listen and one to send', () => {
    const rules = resources.filter(({ type }) => /authorizationRules$/i.test(type));
    expect(rules.map(({ properties }) => properties['rights'])).toEqual([['Listen'], ['Send']]);
  });

  it('speaks TLS 1.2 or newer', () => {
    expect(at('store.account').properties['minimalTlsVersion']).toBe('Tls12');
    for (const { path, properties } of ofType(namespaces))
      expect(properties['minimumTlsVersion'], path).toBe('1.2');
    for (const { path, properties } of ofType(storageAccounts)) {
      expect(properties['minimumTlsVersion'], path).toBe('TLS1_2');
      expect(properties['supportsHttpsTrafficOnly'], path).toBe(true);
    }
    expect(at('app.app').properties).toMatchObject({
      httpsOnly: true,
      siteConfig: { minTlsVersion: '1.2', scmMinTlsVersion: '1.2', ftpsState: 'Disabled' },
    });
  });

  it('is private where private is asked, but for what devices and responders reach', () => {
    const open = resources
      .filter(({ properties }) => 'publicNetworkAccess' in properties)
      .filter(
        ({ properties }) =>
          properties['publicNetworkAccess'] !== "[if(parameters('privateNetwork'), 'Disabled', 'Enabled')]",
      );
    expect(open.map(({ path }) => path)).toEqual(['deviceNamespaces.deviceNamespace', 'evidence.account']);
    const answering = [
      ...ofType('Microsoft.DocumentDB/databaseAccounts'),
      ...ofType('Microsoft.KeyVault/vaults'),
    ];
    for (const { path, properties } of [...answering, ...ofType(storageAccounts), ...ofType(namespaces)])
      expect(properties, path).toHaveProperty('publicNetworkAccess');
  });

  it('keeps deleted keys', () => {
    expect(at('vault.vault').properties).toMatchObject({
      enableRbacAuthorization: true,
      enableSoftDelete: true,
      enablePurgeProtection: true,
    });
  });
});

describe('settings', () => {
  const variables = variablesOf('app');
  const fixed = Object.keys(variables['settings'] as object);
  const text = (name: string): string => JSON.stringify(variables[name]);
  const perShard = [...text('shardSettings').matchAll(/format\('\{0\}(_\w+)'/g)].map(
    ([, tail]) => `DEVICES_0${tail}`,
  );
  const sometimes = [
    ...`${text('rotationSettings')}${text('durableSettings')}`.matchAll(/'([A-Za-z]+_\w+)'/g),
  ].map(([, name]) => String(name));
  const given = [...fixed, ...perShard, ...sometimes];

  const table = JSON.stringify({ version: 1, shards: [{ from: 0, to: 4095, connection: 'DEVICES_0' }] });
  const valueOf = (name: string): string =>
    name === 'DEVICE_SHARDS'
      ? table
      : name === 'HEARTBEAT_SECONDS' || name === 'FEED_POLL_MS'
        ? '1000'
        : 'https://example.com/keys/one';
  const asked = new Set<string>();
  const environment = new Proxy<Record<string, string | undefined>>(
    Object.fromEntries(given.map((name) => [name, valueOf(name)])),
    {
      get: (values, name) => {
        asked.add(String(name));
        return values[String(name)];
      },
    },
  );
  const settings = readSettings(environment);

  it('give the app everything that it reads', () => {
    expect(settings.shards).toHaveLength(1);
    expect([...asked].filter((name) => !given.includes(name))).toEqual([]);
  });

  it('hold nothing that neither the app, host.json nor the platform reads', () => {
    const host = readText('host.json');
    const platform =
      /^(AzureWebJobsStorage__|AzureFunctionsJobHost__|APPLICATIONINSIGHTS_|(COSMOS|DEVICES_0)__(clientId|credential)$)/;
    expect(given.filter((name) => !asked.has(name) && !host.includes(name) && !platform.test(name))).toEqual(
      [],
    );
  });
});

describe('host.json', () => {
  it('takes messages of a session one by one, many sessions at a time', () => {
    expect(readJson('host.json')).toMatchObject({
      extensionBundle: { version: '[4.36.0, 5.0.0)' },
      extensions: {
        serviceBus: {
          autoCompleteMessages: true,
          maxConcurrentSessions: 200,
          maxConcurrentCallsPerSession: 1,
          sessionIdleTimeout: '00:00:05',
        },
        durableTask: { storageProvider: { type: 'azureManaged' } },
      },
    });
  });

  it('the change feed starts from the beginning and gives a batch again until it is handled', () => {
    const app = readText('functions/app.ts');
    expect(app).toContain('startFromBeginning: true');
    expect(app).toContain('retry: untilHandled');
  });
});
