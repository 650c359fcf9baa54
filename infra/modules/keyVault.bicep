import { appIdentity, commandKeySettings, resourceTags } from '../types.bicep'

@description('Holds the keys that sign commands, which never leave it, and the keys of the device namespaces.')
param suffix string
param location string
param tags resourceTags
param commandKeys commandKeySettings
param privateNetwork bool
param workspaceId string
param identity appIdentity

var keyNames = union([commandKeys.current], empty(commandKeys.?previous) ? [] : [commandKeys.previous!])

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: 'kv-${suffix}'
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enablePurgeProtection: true
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    networkAcls: { bypass: 'AzureServices', defaultAction: privateNetwork ? 'Deny' : 'Allow' }
  }
}

resource keys 'Microsoft.KeyVault/vaults/keys@2024-11-01' = [
  for name in keyNames: {
    parent: vault
    name: name
    tags: tags
    properties: { kty: 'EC', curveName: 'P-256', keyOps: ['sign', 'verify'] }
  }
]

resource signs 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, index) in keyNames: {
    scope: keys[index]
    name: guid(vault.id, name, identity.id, 'sign')
    properties: {
      description: 'Signs commands with this key and reads its public half.'
      principalId: identity.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        '12338af0-0e69-4776-bea7-57ae8d297424' // Key Vault Crypto User
      )
    }
  }
]

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: vault
  name: 'to-workspace'
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'audit', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

output id string = vault.id
output name string = vault.name
output commandKey string = '${vault.properties.vaultUri}keys/${commandKeys.current}'
output previousCommandKey string = empty(commandKeys.?previous)
  ? ''
  : '${vault.properties.vaultUri}keys/${commandKeys.previous!}'
