using 'main.bicep'

// For trying it out: everything that can scale to zero does.
param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'dev')
param apiAudiences = split(readEnvironmentVariable('API_AUDIENCES', 'api://live-response'), ',')
param notifications = {
  emails: [readEnvironmentVariable('ALERT_EMAIL', 'operations@example.com')]
  budget: 100
  budgetFrom: readEnvironmentVariable('BUDGET_FROM', '2026-12-01')
}
param retention = {
  files: 30
  anchors: 1
  logs: 30
  cosmosBackup: 'Continuous7Days'
}
