using 'main.bicep'

// Some thousand devices, zone redundant, an instance of each kind always there.
param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'prod')
param apiAudiences = split(readEnvironmentVariable('API_AUDIENCES', 'api://live-response'), ',')
param scale = {
  maximumInstances: 200
  instanceMemoryMB: 2048
  httpConcurrency: 200
  alwaysReady: { http: 2, durable: 1, sessionMessages: 1 }
  zoneRedundant: true
}
param cosmos = { kind: 'autoscale', maximumRequestUnits: 10000 }
param devices = {
  version: 1
  shards: [
    { connection: 'DEVICES_0', from: 0, to: 2047 }
    { connection: 'DEVICES_1', from: 2048, to: 4095 }
  ]
}
param privateNetwork = true
param notifications = {
  emails: [readEnvironmentVariable('ALERT_EMAIL', 'operations@example.com')]
  budget: 2000
  budgetFrom: readEnvironmentVariable('BUDGET_FROM', '2026-12-01')
}
param retention = {
  files: 365
  anchors: 2555
  logs: 180
  cosmosBackup: 'Continuous30Days'
}
