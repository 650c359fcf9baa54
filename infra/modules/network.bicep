import { resourceTags } from '../types.bicep'

@description('The network in which the app reaches its stores, and the names by which it finds them there.')
param suffix string
param location string
param tags resourceTags
param cosmosId string
param vaultId string
param runtimeStorageId string
param durableBackend 'DurableTaskScheduler' | 'AzureStorage'

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: 'vnet-${suffix}'
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: ['10.40.0.0/16'] }
  }
}

resource appSubnet 'Microsoft.Network/virtualNetworks/subnets@2024-05-01' = {
  parent: network
  name: 'app'
  properties: {
    // Every instance of the app takes an address.
    addressPrefix: '10.40.0.0/20'
    delegations: [{ name: 'flex', properties: { serviceName: 'Microsoft.App/environments' } }]
  }
}

resource endpointSubnet 'Microsoft.Network/virtualNetworks/subnets@2024-05-01' = {
  parent: network
  name: 'endpoints'
  properties: { addressPrefix: '10.40.16.0/26' }
  // One change of a network at a time.
  dependsOn: [appSubnet]
}

var storageSuffix = environment().suffixes.storage

module cosmosEndpoint 'privateEndpoint.bicep' = {
  params: {
    name: 'pep-${suffix}-cosmos'
    location: location
    tags: tags
    networkId: network.id
    subnetId: endpointSubnet.id
    targetId: cosmosId
    group: 'Sql'
    zoneName: 'privatelink.documents.azure.com'
  }
}

module vaultEndpoint 'privateEndpoint.bicep' = {
  params: {
    name: 'pep-${suffix}-vault'
    location: location
    tags: tags
    networkId: network.id
    subnetId: endpointSubnet.id
    targetId: vaultId
    group: 'vault'
    zoneName: 'privatelink.vaultcore.azure.net'
  }
}

// Queues and tables are used only where Azure Storage keeps the durable state.
module storageEndpoints 'privateEndpoint.bicep' = [
  for service in (durableBackend == 'AzureStorage' ? ['blob', 'queue', 'table'] : ['blob']): {
    params: {
      name: 'pep-${suffix}-${service}'
      location: location
      tags: tags
      networkId: network.id
      subnetId: endpointSubnet.id
      targetId: runtimeStorageId
      group: service
      // The evidence account stays public, so its names have to be found outside, too.
      fallsBackToInternet: true
      zoneName: 'privatelink.${service}.${storageSuffix}'
    }
  }
]

output appSubnetId string = appSubnet.id
