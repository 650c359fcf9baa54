import { appIdentity, cosmosCapacity, resourceTags } from '../types.bicep'

@description('Events, heads, views: the one place of truth.')
param suffix string
param location string
param tags resourceTags
param capacity cosmosCapacity
param backupTier string
param zoneRedundant bool
param privateNetwork bool
param workspaceId string
param identity appIdentity

var databaseName = 'live-response'

resource account 'Microsoft.DocumentDB/databaseAccounts@2024-11-15' = {
  name: 'cosmos-${suffix}'
  location: location
  tags: tags
  kind: 'GlobalDocumentDB'
  properties: {
    databaseAccountOfferType: 'Standard'
    capabilities: capacity.kind == 'serverless' ? [{ name: 'EnableServerless' }] : []
    // An instance that decides on an old head would decide wrongly; one write region, because two could both let in the last session.
    consistencyPolicy: {
      defaultConsistencyLevel: 'BoundedStaleness'
      maxStalenessPrefix: 100
      maxIntervalInSeconds: 5
    }
    locations: [{ locationName: location, failoverPriority: 0, isZoneRedundant: zoneRedundant }]
    enableMultipleWriteLocations: false
    enableAutomaticFailover: false
    disableLocalAuth: true
    disableKeyBasedMetadataWriteAccess: true
    minimalTlsVersion: 'Tls12'
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    backupPolicy: { type: 'Continuous', continuousModeProperties: { tier: backupTier } }
  }
}

resource database 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases@2024-11-15' = {
  parent: account
  name: databaseName
  properties: {
    resource: { id: databaseName }
    options: capacity.kind == 'autoscale' ? { autoscaleSettings: { maxThroughput: capacity.maximumRequestUnits } } : {}
  }
}

// Every path that no query asks for is left out: it would cost request units with every append.
resource events 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2024-11-15' = {
  parent: database
  name: 'events'
  properties: {
    resource: {
      id: 'events'
      partitionKey: { kind: 'Hash', version: 2, paths: ['/pk'] }
      indexingPolicy: {
        indexingMode: 'consistent'
        includedPaths: [{ path: '/version/?' }, { path: '/data/commandId/?' }]
        excludedPaths: [{ path: '/*' }]
      }
    }
  }
}

resource views 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2024-11-15' = {
  parent: database
  name: 'views'
  properties: {
    resource: {
      id: 'views'
      partitionKey: { kind: 'Hash', version: 2, paths: ['/pk'] }
      indexingPolicy: {
        indexingMode: 'consistent'
        includedPaths: [{ path: '/kind/?' }, { path: '/sort/?' }]
        excludedPaths: [{ path: '/*' }]
      }
    }
  }
}

resource presence 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2024-11-15' = {
  parent: database
  name: 'presence'
  properties: {
    resource: {
      id: 'presence'
      partitionKey: { kind: 'Hash', version: 2, paths: ['/pk'] }
      // Items that set a time to live go when it is over; the others stay.
      defaultTtl: -1
      indexingPolicy: { indexingMode: 'consistent', excludedPaths: [{ path: '/*' }] }
    }
  }
}

resource leases 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2024-11-15' = {
  parent: database
  name: 'leases'
  properties: {
    resource: {
      id: 'leases'
      partitionKey: { kind: 'Hash', version: 2, paths: ['/id'] }
    }
  }
}

resource deadletters 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2024-11-15' = {
  parent: database
  name: 'deadletters'
  properties: {
    resource: {
      id: 'deadletters'
      partitionKey: { kind: 'Hash', version: 2, paths: ['/pk'] }
    }
  }
}

var builtInDataContributor = '00000000-0000-0000-0000-000000000002'

resource writes 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2024-11-15' = {
  parent: account
  name: guid(database.id, identity.id, builtInDataContributor)
  properties: {
    principalId: identity.principalId
    roleDefinitionId: '${account.id}/sqlRoleDefinitions/${builtInDataContributor}'
    // This database, not the account.
    scope: '${account.id}/dbs/${database.name}'
  }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: account
  name: 'to-workspace'
  properties: {
    workspaceId: workspaceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      { category: 'ControlPlaneRequests', enabled: true }
      { category: 'PartitionKeyRUConsumption', enabled: true }
    ]
    metrics: [{ category: 'Requests', enabled: true }]
  }
}

output id string = account.id
output endpoint string = account.properties.documentEndpoint
output databaseName string = database.name
