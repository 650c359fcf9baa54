import { appIdentity, deviceConnection, deviceShard, resourceTags } from '../types.bicep'

@description('One shard: a namespace that holds device entities and nothing else. The app makes a queue in it for every device.')
param suffix string
param location string
param tags resourceTags
param shard deviceShard
param index int
param vaultName string
param workspaceId string
param identity appIdentity

resource deviceNamespace 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: 'sbns-${suffix}-devices-${index}'
  location: location
  tags: tags
  sku: { name: 'Standard', tier: 'Standard' }
  properties: {
    minimumTlsVersion: '1.2'
    publicNetworkAccess: 'Enabled'
    // The one place where keys are allowed: agents have no Entra identity. They get tokens for an hour, narrowed to their own queue.
    disableLocalAuth: false
  }
}

resource listenRule 'Microsoft.ServiceBus/namespaces/authorizationRules@2024-01-01' = {
  parent: deviceNamespace
  name: 'agents-listen'
  properties: { rights: ['Listen'] }
}

resource sendRule 'Microsoft.ServiceBus/namespaces/authorizationRules@2024-01-01' = {
  parent: deviceNamespace
  name: 'agents-send'
  properties: { rights: ['Send'] }
  // The service takes one change of a namespace's rules at a time.
  dependsOn: [listenRule]
}

// Resource Manager writes the slash in the name of a queue as a tilde: these are devices/presence and devices/messages.
resource presenceQueue 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = {
  parent: deviceNamespace
  name: 'devices~presence'
  properties: {
    requiresSession: false
    maxDeliveryCount: 100
    lockDuration: 'PT1M'
    defaultMessageTimeToLive: 'PT1H'
    deadLetteringOnMessageExpiration: false
  }
}

resource messagesQueue 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = {
  parent: deviceNamespace
  name: 'devices~messages'
  properties: {
    requiresSession: true
    maxDeliveryCount: 100
    lockDuration: 'PT1M'
    deadLetteringOnMessageExpiration: false
  }
}

resource owns 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: deviceNamespace
  name: guid(deviceNamespace.id, identity.id, 'owner')
  properties: {
    description: 'Makes and deletes the queues of devices, sends to them, takes what devices send. No lesser role may make queues.'
    principalId: identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      '090c5cfd-751d-490a-894a-3ce6f1109419' // Azure Service Bus Data Owner
    )
  }
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: vaultName
}

resource listenKey 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = {
  parent: vault
  name: 'devices-${index}-listen'
  properties: { value: listenRule.listKeys().primaryKey }
}

resource sendKey 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = {
  parent: vault
  name: 'devices-${index}-send'
  properties: { value: sendRule.listKeys().primaryKey }
}

resource readsListenKey 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: listenKey
  name: guid(listenKey.id, identity.id, 'read')
  properties: {
    description: 'Signs the hour-long Listen tokens of devices.'
    principalId: identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      '4633458b-17de-408a-b874-0445c86b69e6' // Key Vault Secrets User
    )
  }
}

resource readsSendKey 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: sendKey
  name: guid(sendKey.id, identity.id, 'read')
  properties: {
    description: 'Signs the hour-long Send tokens of devices.'
    principalId: identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      '4633458b-17de-408a-b874-0445c86b69e6' // Key Vault Secrets User
    )
  }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: deviceNamespace
  name: 'to-workspace'
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'OperationalLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

output id string = deviceNamespace.id
output connection deviceConnection = {
  name: shard.connection
  // sb names have the form {namespace}.servicebus.windows.net; the endpoint knows the cloud's own suffix.
  host: split(split(deviceNamespace.properties.serviceBusEndpoint, '//')[1], ':')[0]
  listenRule: listenRule.name
  sendRule: sendRule.name
  listenKeyAddress: listenKey.properties.secretUri
  sendKeyAddress: sendKey.properties.secretUri
}
