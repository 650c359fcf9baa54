import { notificationSettings } from '../types.bicep'

@description('Tells when the month gets expensive. It stops nothing.')
param suffix string
param notifications notificationSettings

resource budget 'Microsoft.Consumption/budgets@2023-11-01' = {
  name: 'budget-${suffix}'
  properties: {
    category: 'Cost'
    amount: notifications.budget
    timeGrain: 'Monthly'
    timePeriod: { startDate: notifications.budgetFrom }
    notifications: {
      spent: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 80
        thresholdType: 'Actual'
        contactEmails: notifications.emails
      }
      foreseen: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 100
        thresholdType: 'Forecasted'
        contactEmails: notifications.emails
      }
    }
  }
}
