import { appIdentity, resourceTags } from '../types.bicep'

@description('Where supervisors of sessions sleep and wake.')
param suffix string
param location string
param tags resourceTags
param taskHubName string
param identity appIdentity

resource scheduler 'Microsoft.DurableTask/schedulers@2025-11-01' = {
  name: 'dts-${suffix}'
  location: location
  tags: tags
  properties: {
    sku: { name: 'Consumption' }
    // An empty list would let nobody in. Every caller needs an Entra token and a role all the same: the service has no keys.
    ipAllowlist: ['0.0.0.0/0']
  }
}

resource hub 'Microsoft.DurableTask/schedulers/taskHubs@2025-11-01' = {
  parent: scheduler
  name: taskHubName
  properties: {}
}

resource works 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: hub
  name: guid(hub.id, identity.id, 'work')
  properties: {
    description: 'Starts, wakes and runs supervisors in this task hub.'
    principalId: identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      '0ad04412-c4d5-4796-b79c-f76d14c8d402' // Durable Task Data Contributor
    )
  }
}

output endpoint string = scheduler.properties.endpoint
