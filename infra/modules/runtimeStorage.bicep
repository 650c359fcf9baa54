import { appIdentity, resourceTags } from '../types.bicep'

@description('What the Functions runtime itself keeps: the deployed package, locks of timers and, where chosen, the durable state.')
param suffix string
param location string
param tags resourceTags
param durableBackend 'DurableTaskScheduler' | 'AzureStorage'
param zoneRedundant bool
param privateNetwork bool
param identity appIdentity

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: take('strt${replace(suffix, '-', '')}', 24)
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: zoneRedundant ? 'Standard_ZRS' : 'Standard_LRS' }
  properties: {
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    supportsHttpsTrafficOnly: true
    minimumTlsVersion: 'TLS1_2'
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    networkAcls: { bypass: 'None', defaultAction: privateNetwork ? 'Deny' : 'Allow' }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: account
  name: 'default'
}

resource deployments 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: blobs
  name: 'deployments'
  properties: { publicAccess: 'None' }
}

resource writesBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account
  name: guid(account.id, identity.id, 'blobs')
  properties: {
    description: 'Reads its package, holds the locks of timers, keeps host secrets.'
    principalId: identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      'ba92f5b4-2d11-453d-a403-e96b0029c9fe' // Storage Blob Data Contributor
    )
  }
}

resource writesQueues 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (durableBackend == 'AzureStorage') {
  scope: account
  name: guid(account.id, identity.id, 'queues')
  properties: {
    description: 'Durable messages, only with Azure Storage as durable backend.'
    principalId: identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      '974c5e8b-45b9-4653-ba55-5f855dd0fb88' // Storage Queue Data Contributor
    )
  }
}

resource writesTables 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (durableBackend == 'AzureStorage') {
  scope: account
  name: guid(account.id, identity.id, 'tables')
  properties: {
    description: 'Durable history, only with Azure Storage as durable backend.'
    principalId: identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3' // Storage Table Data Contributor
    )
  }
}

output id string = account.id
output name string = account.name
output packageContainer string = '${account.properties.primaryEndpoints.blob}${deployments.name}'
