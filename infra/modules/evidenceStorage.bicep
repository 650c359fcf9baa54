import { appIdentity, resourceTags, retentionSettings } from '../types.bicep'

@description('What sessions leave: output, collected files, anchors; and the library. Devices and responders reach it with tickets.')
param suffix string
param location string
param tags resourceTags
param retention retentionSettings
param zoneRedundant bool
param workspaceId string
param identity appIdentity

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: take('stev${replace(suffix, '-', '')}', 24)
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: zoneRedundant ? 'Standard_ZRS' : 'Standard_LRS' }
  properties: {
    accessTier: 'Hot'
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    supportsHttpsTrafficOnly: true
    minimumTlsVersion: 'TLS1_2'
    // Devices upload from wherever they are: each ticket opens one blob for minutes, and nothing is readable without one.
    publicNetworkAccess: 'Enabled'
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: { enabled: true, days: 7 }
    containerDeleteRetentionPolicy: { enabled: true, days: 30 }
  }
}

resource output 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: blobs
  name: 'output'
  properties: { publicAccess: 'None' }
}

resource collected 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: blobs
  name: 'collected'
  properties: { publicAccess: 'None' }
}

resource library 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: blobs
  name: 'library'
  properties: { publicAccess: 'None' }
}

resource anchors 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: blobs
  name: 'anchors'
  properties: { publicAccess: 'None' }
}

// Made unlocked, so that a trial can be taken down; locking it is a step of the administrator, which nobody can undo.
resource anchorsStay 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2024-01-01' = {
  parent: anchors
  name: 'default'
  properties: {
    immutabilityPeriodSinceCreationInDays: retention.anchors
    allowProtectedAppendWrites: false
  }
}

resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2024-01-01' = {
  parent: account
  name: 'default'
  dependsOn: [blobs]
  properties: {
    policy: {
      rules: concat(
        [
          {
            name: 'cool-collected-files'
            enabled: true
            type: 'Lifecycle'
            definition: {
              filters: { blobTypes: ['blockBlob'], prefixMatch: ['collected/'] }
              actions: { baseBlob: { tierToCool: { daysAfterModificationGreaterThan: 30 } } }
            }
          }
        ],
        retention.files == 0
          ? []
          : [
              {
                name: 'delete-old-files'
                enabled: true
                type: 'Lifecycle'
                definition: {
                  // Output is written by appending; both kinds of blob can be deleted by age.
                  filters: { blobTypes: ['blockBlob', 'appendBlob'], prefixMatch: ['collected/', 'output/'] }
                  actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: retention.files } } }
                }
              }
            ]
      )
    }
  }
}

resource delegates 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account
  name: guid(account.id, identity.id, 'delegate')
  properties: {
    description: 'Gets the delegation key with which it signs tickets; a ticket can do no more than the app itself.'
    principalId: identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      'db58b8e5-c6ad-4a2a-8342-4190687cbf4a' // Storage Blob Delegator
    )
  }
}

resource writesOutput 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: output
  name: guid(output.id, identity.id, 'contribute')
  properties: {
    description: 'Hands out tickets to append output, and reads it.'
    principalId: identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      'ba92f5b4-2d11-453d-a403-e96b0029c9fe' // Storage Blob Data Contributor
    )
  }
}

resource writesCollected 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: collected
  name: guid(collected.id, identity.id, 'contribute')
  properties: {
    description: 'Hands out tickets to write and to read collected files.'
    principalId: identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      'ba92f5b4-2d11-453d-a403-e96b0029c9fe' // Storage Blob Data Contributor
    )
  }
}

resource writesLibrary 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: library
  name: guid(library.id, identity.id, 'contribute')
  properties: {
    description: 'Keeps library files and hands out tickets to fetch them.'
    principalId: identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      'ba92f5b4-2d11-453d-a403-e96b0029c9fe' // Storage Blob Data Contributor
    )
  }
}

resource writesAnchors 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: anchors
  name: guid(anchors.id, identity.id, 'contribute')
  properties: {
    description: 'Writes anchors; the immutability policy keeps it from changing or deleting them.'
    principalId: identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      'ba92f5b4-2d11-453d-a403-e96b0029c9fe' // Storage Blob Data Contributor
    )
  }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: blobs
  name: 'to-workspace'
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'StorageRead', enabled: true }
      { category: 'StorageWrite', enabled: true }
      { category: 'StorageDelete', enabled: true }
    ]
    metrics: [{ category: 'Transaction', enabled: true }]
  }
}

output blobEndpoint string = account.properties.primaryEndpoints.blob
