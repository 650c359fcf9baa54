import { notificationSettings, resourceTags } from '../types.bicep'

@description('Tells people what needs them.')
param suffix string
param location string
param tags resourceTags
param notifications notificationSettings
param insightsId string
param appId string
param cosmosId string
param namespaceIds string[]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'liveresp'
    emailReceivers: map(notifications.emails, (email, index) => {
      name: 'mail-${index}'
      emailAddress: email
      useCommonAlertSchema: true
    })
  }
}

resource deadLetters 'Microsoft.Insights/metricAlerts@2018-03-01' = [
  for (namespaceId, index) in namespaceIds: {
    name: 'dead-letters-${index}'
    location: 'global'
    tags: tags
    properties: {
      description: 'Messages of devices could not be applied in a hundred deliveries.'
      severity: 1
      enabled: true
      scopes: [namespaceId]
      evaluationFrequency: 'PT5M'
      windowSize: 'PT5M'
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
        allOf: [
          {
            criterionType: 'StaticThresholdCriterion'
            name: 'dead'
            metricName: 'DeadletteredMessages'
            operator: 'GreaterThan'
            threshold: 0
            timeAggregation: 'Maximum'
          }
        ]
      }
      actions: [{ actionGroupId: people.id }]
    }
  }
]

resource busThrottling 'Microsoft.Insights/metricAlerts@2018-03-01' = [
  for (namespaceId, index) in namespaceIds: {
    name: 'bus-throttling-${index}'
    location: 'global'
    tags: tags
    properties: {
      description: 'A device namespace refuses requests: it serves more devices or commands than it can.'
      severity: 2
      enabled: true
      scopes: [namespaceId]
      evaluationFrequency: 'PT5M'
      windowSize: 'PT15M'
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
        allOf: [
          {
            criterionType: 'StaticThresholdCriterion'
            name: 'throttled'
            metricName: 'ThrottledRequests'
            operator: 'GreaterThan'
            threshold: 10
            timeAggregation: 'Total'
          }
        ]
      }
      actions: [{ actionGroupId: people.id }]
    }
  }
]

resource storeThrottling 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'store-throttling'
  location: 'global'
  tags: tags
  properties: {
    description: 'Cosmos DB answers 429: the capacity does not hold the load, or one tenant is hot.'
    severity: 2
    enabled: true
    scopes: [cosmosId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'throttled'
          metricName: 'TotalRequests'
          dimensions: [{ name: 'StatusCode', operator: 'Include', values: ['429'] }]
          operator: 'GreaterThan'
          threshold: 100
          timeAggregation: 'Count'
        }
      ]
    }
    actions: [{ actionGroupId: people.id }]
  }
}

resource errors 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'errors'
  location: 'global'
  tags: tags
  properties: {
    description: 'The API answers with server errors.'
    severity: 2
    enabled: true
    scopes: [appId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'server-errors'
          metricName: 'Http5xx'
          operator: 'GreaterThan'
          threshold: 5
          timeAggregation: 'Total'
        }
      ]
    }
    actions: [{ actionGroupId: people.id }]
  }
}

@description('Alerts that look into the logs: name, severity and the rows that should not be there.')
var logAlerts = [
  {
    name: 'feed-lag'
    severity: 2
    description: 'No batch of the change feed was handled for 15 minutes while requests changed something: views stand still.'
    query: '''
      requests
      | where timestamp > ago(15m)
      | summarize changes = countif(name in ('openSession', 'issueCommand', 'closeSession') and success == true),
          batches = countif(name == 'projectViews' and success == true)
      | where changes > 0 and batches == 0
    '''
  }
  {
    name: 'function-failures'
    severity: 2
    description: 'Functions without a caller fail: device messages, feed, supervisors or timers.'
    query: '''
      requests
      | where success == false
      | where name startswith 'receive' or name startswith 'reapply'
          or name in ('projectViews', 'ensureSupervision', 'superviseSession', 'superviseSession_v1', 'reconcile', 'purge')
      | summarize failures = count() by name
      | where failures > 5
    '''
  }
]

resource logAlertRules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for alert in logAlerts: {
    name: alert.name
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: alert.name
      description: alert.description
      severity: alert.severity
      enabled: true
      scopes: [insightsId]
      evaluationFrequency: 'PT15M'
      windowSize: 'PT15M'
      criteria: {
        allOf: [
          {
            query: alert.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      actions: { actionGroups: [people.id] }
    }
  }
]
