import {
  commandKeySettings
  cosmosCapacity
  notificationSettings
  resourceTags
  retentionSettings
  scaleSettings
  deviceShards
} from 'types.bicep'

targetScope = 'subscription'

metadata name = 'Live Response'
metadata description = 'The whole system in one resource group: function app, stores, device namespaces, keys, alerts.'

@description('Names everything, together with a hash: `dev`, `prod`.')
@minLength(2)
@maxLength(8)
param environmentName string

param location string = deployment().location

@description('Directories whose people and devices may use this deployment. One, or several that share it.')
@minLength(1)
param allowedTenants string[] = [tenant().tenantId]

@description('Audiences that access tokens for the API carry: its application id and its identifier address.')
@minLength(1)
param apiAudiences string[]

param scale scaleSettings = {
  maximumInstances: 100
  instanceMemoryMB: 2048
  httpConcurrency: 100
  alwaysReady: { http: 0, durable: 0, sessionMessages: 0 }
  zoneRedundant: false
}

param cosmos cosmosCapacity = { kind: 'serverless' }

param devices deviceShards = {
  version: 1
  shards: [{ connection: 'DEVICES_0', from: 0, to: 4095 }]
}

param durableBackend 'DurableTaskScheduler' | 'AzureStorage' = 'DurableTaskScheduler'

@description('Cosmos DB, Key Vault and the runtime\'s storage only inside a network of their own. What devices and responders reach stays public: the API, the device namespaces, the evidence storage.')
param privateNetwork bool = false

param commandKeys commandKeySettings = { current: 'command-1' }

param retention retentionSettings = {
  files: 365
  anchors: 365
  logs: 90
  cosmosBackup: 'Continuous7Days'
}

param notifications notificationSettings

@description('Pause between two heartbeats of a device, seconds. All devices together pay for it.')
@minValue(30)
param heartbeatSeconds int = 900

@description('Pause between two looks at the change feed, milliseconds.')
@minValue(100)
param feedPollMs int = 1000

@description('Put on everything, besides `application` and `environment`.')
param extraTags resourceTags = {}

var suffix = '${environmentName}-${take(uniqueString(subscription().id, environmentName, location), 6)}'
var tags = union(extraTags, {
  application: 'live-response'
  environment: environmentName
  'azd-env-name': environmentName
})
var taskHubName = 'liveresponse'

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-live-response-${environmentName}'
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  scope: group
  params: { name: 'id-${suffix}', location: location, tags: tags }
}

module observability 'modules/observability.bicep' = {
  scope: group
  params: {
    suffix: suffix
    location: location
    tags: tags
    retentionDays: retention.logs
    identity: identity.outputs.identity
  }
}

module store 'modules/cosmos.bicep' = {
  scope: group
  params: {
    suffix: suffix
    location: location
    tags: tags
    capacity: cosmos
    backupTier: retention.cosmosBackup
    zoneRedundant: scale.zoneRedundant
    privateNetwork: privateNetwork
    workspaceId: observability.outputs.workspaceId
    identity: identity.outputs.identity
  }
}

module vault 'modules/keyVault.bicep' = {
  scope: group
  params: {
    suffix: suffix
    location: location
    tags: tags
    commandKeys: commandKeys
    privateNetwork: privateNetwork
    workspaceId: observability.outputs.workspaceId
    identity: identity.outputs.identity
  }
}

module deviceNamespaces 'modules/deviceNamespace.bicep' = [
  for (shard, index) in devices.shards: {
    scope: group
    params: {
      suffix: suffix
      location: location
      tags: tags
      shard: shard
      index: index
      vaultName: vault.outputs.name
      workspaceId: observability.outputs.workspaceId
      identity: identity.outputs.identity
    }
  }
]

module evidence 'modules/evidenceStorage.bicep' = {
  scope: group
  params: {
    suffix: suffix
    location: location
    tags: tags
    retention: retention
    zoneRedundant: scale.zoneRedundant
    workspaceId: observability.outputs.workspaceId
    identity: identity.outputs.identity
  }
}

module runtime 'modules/runtimeStorage.bicep' = {
  scope: group
  params: {
    suffix: suffix
    location: location
    tags: tags
    durableBackend: durableBackend
    zoneRedundant: scale.zoneRedundant
    privateNetwork: privateNetwork
    identity: identity.outputs.identity
  }
}

module scheduler 'modules/durableTaskScheduler.bicep' = if (durableBackend == 'DurableTaskScheduler') {
  scope: group
  params: {
    suffix: suffix
    location: location
    tags: tags
    taskHubName: taskHubName
    identity: identity.outputs.identity
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  scope: group
  params: {
    suffix: suffix
    location: location
    tags: tags
    cosmosId: store.outputs.id
    vaultId: vault.outputs.id
    runtimeStorageId: runtime.outputs.id
    durableBackend: durableBackend
  }
}

module app 'modules/functionApp.bicep' = {
  scope: group
  params: {
    suffix: suffix
    location: location
    tags: tags
    scale: scale
    shardTable: devices
    connections: [for (shard, index) in devices.shards: deviceNamespaces[index].outputs.connection]
    durableBackend: durableBackend
    taskHubName: taskHubName
    schedulerEndpoint: scheduler.?outputs.endpoint ?? ''
    cosmosEndpoint: store.outputs.endpoint
    cosmosDatabase: store.outputs.databaseName
    blobEndpoint: evidence.outputs.blobEndpoint
    runtimeStorageName: runtime.outputs.name
    packageContainer: runtime.outputs.packageContainer
    commandKey: vault.outputs.commandKey
    previousCommandKey: vault.outputs.previousCommandKey
    apiAudiences: apiAudiences
    allowedTenants: allowedTenants
    heartbeatSeconds: heartbeatSeconds
    feedPollMs: feedPollMs
    insightsConnectionString: observability.outputs.connectionString
    workspaceId: observability.outputs.workspaceId
    subnetId: network.?outputs.appSubnetId ?? ''
    identity: identity.outputs.identity
  }
}

module alerts 'modules/alerts.bicep' = {
  scope: group
  params: {
    suffix: suffix
    location: location
    tags: tags
    notifications: notifications
    insightsId: observability.outputs.insightsId
    appId: app.outputs.id
    cosmosId: store.outputs.id
    namespaceIds: [for (shard, index) in devices.shards: deviceNamespaces[index].outputs.id]
  }
}

module workbook 'modules/workbook.bicep' = {
  scope: group
  params: { suffix: suffix, location: location, tags: tags, insightsId: observability.outputs.insightsId }
}

module budget 'modules/budget.bicep' = if (notifications.budget > 0) {
  scope: group
  params: { suffix: suffix, notifications: notifications }
}

@description('Address of the API.')
output API_URL string = app.outputs.url
output FUNCTION_APP_NAME string = app.outputs.name
output RESOURCE_GROUP string = group.name
output DEVICE_NAMESPACE_IDS string[] = [for (shard, index) in devices.shards: deviceNamespaces[index].outputs.id]
