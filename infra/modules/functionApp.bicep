import { appIdentity, deviceConnection, resourceTags, scaleSettings, deviceShards } from '../types.bicep'

@description('The function app. Every setting that its code reads comes from here.')
param suffix string
param location string
param tags resourceTags
param scale scaleSettings
param shardTable deviceShards
@description('What the modules of the device namespaces gave, in the order of the shards.')
param connections deviceConnection[]
param durableBackend 'DurableTaskScheduler' | 'AzureStorage'
param taskHubName string
param schedulerEndpoint string
param cosmosEndpoint string
param cosmosDatabase string
param blobEndpoint string
param runtimeStorageName string
param packageContainer string
param commandKey string
param previousCommandKey string
param apiAudiences string[]
param allowedTenants string[]
param heartbeatSeconds int
param feedPollMs int
param insightsConnectionString string
param workspaceId string
param subnetId string
param identity appIdentity

var settings = {
  AZURE_CLIENT_ID: identity.clientId
  AzureWebJobsStorage__accountName: runtimeStorageName
  AzureWebJobsStorage__clientId: identity.clientId
  AzureWebJobsStorage__credential: 'managedidentity'
  APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.clientId};Authorization=AAD'
  COSMOS__accountEndpoint: cosmosEndpoint
  COSMOS__clientId: identity.clientId
  COSMOS__credential: 'managedidentity'
  COSMOS_DATABASE: cosmosDatabase
  STORAGE__blobServiceUri: blobEndpoint
  DEVICE_SHARDS: string(shardTable)
  ENTRA_AUTHORITY: environment().authentication.loginEndpoint
  API_AUDIENCES: join(apiAudiences, ',')
  ALLOWED_TENANTS: join(allowedTenants, ',')
  COMMAND_KEY: commandKey
  TASKHUB_NAME: taskHubName
  HEARTBEAT_SECONDS: string(heartbeatSeconds)
  FEED_POLL_MS: string(feedPollMs)
}

// Only while a rotation is on its way: an empty address would be no address.
var rotationSettings = empty(previousCommandKey) ? {} : { COMMAND_KEY_PREVIOUS: previousCommandKey }

// host.json names the scheduler; with Azure Storage the platform's override of host.json names that instead.
var durableSettings = durableBackend == 'DurableTaskScheduler'
  ? {
      DURABLE_TASK_SCHEDULER_CONNECTION_STRING: 'Endpoint=${schedulerEndpoint};Authentication=ManagedIdentity;ClientID=${identity.clientId}'
    }
  : {
      AzureFunctionsJobHost__extensions__durableTask__storageProvider__type: 'AzureStorage'
      AzureFunctionsJobHost__extensions__durableTask__storageProvider__connectionStringName: 'AzureWebJobsStorage'
    }

var shardSettings = reduce(
  map(connections, connection => {
    '${connection.name}__fullyQualifiedNamespace': connection.host
    '${connection.name}__clientId': identity.clientId
    '${connection.name}__credential': 'managedidentity'
    '${connection.name}_LISTEN_RULE': connection.listenRule
    '${connection.name}_LISTEN_KEY': '@Microsoft.KeyVault(SecretUri=${connection.listenKeyAddress})'
    '${connection.name}_SEND_RULE': connection.sendRule
    '${connection.name}_SEND_KEY': '@Microsoft.KeyVault(SecretUri=${connection.sendKeyAddress})'
  }),
  {},
  (all, one) => union(all, one)
)

var alwaysReady = filter(
  concat(
    [
      { name: 'http', instanceCount: scale.alwaysReady.http }
      { name: 'durable', instanceCount: scale.alwaysReady.durable }
    ],
    map(connections, connection => {
      name: 'function:receiveSessionMessage_${connection.name}'
      instanceCount: scale.alwaysReady.sessionMessages
    })
  ),
  group => group.instanceCount > 0
)

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: 'plan-${suffix}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true, zoneRedundant: scale.zoneRedundant }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: 'func-${suffix}'
  location: location
  tags: union(tags, { 'azd-service-name': 'api' })
  kind: 'functionapp,linux'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identity.id}': {} } }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identity.id
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      runtime: { name: 'node', version: '24' }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageContainer
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identity.id
          }
        }
      }
      scaleAndConcurrency: {
        maximumInstanceCount: scale.maximumInstances
        instanceMemoryMB: scale.instanceMemoryMB
        alwaysReady: alwaysReady
        triggers: { http: { perInstanceConcurrency: scale.httpConcurrency } }
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
      appSettings: map(items(union(settings, rotationSettings, durableSettings, shardSettings)), setting => {
        name: setting.key
        value: setting.value
      })
    }
  }
}

resource noFtpPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'ftp'
  properties: { allow: false }
}

resource noScmPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'scm'
  properties: { allow: false }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: app
  name: 'to-workspace'
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'AppServiceAuditLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

output id string = app.id
output name string = app.name
output url string = 'https://${app.properties.defaultHostName}'
