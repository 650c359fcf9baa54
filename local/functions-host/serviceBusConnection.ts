import { ServiceBusClient } from '@azure/service-bus';
import type { Binding } from './protocol.ts';
import type { Settings } from './settings.ts';
import { resolveConnection } from './settings.ts';
import { managedIdentity } from './triggers/managedIdentity.ts';
import { setNoDelayOnClientSockets } from './triggers/noDelay.ts';

/** The SDK's default of 30 s makes a broker restart look like an outage. */
const RETRY_DELAY_MS = 500;

/** A client for the `connection` of a binding. @throws when its settings are missing. */
export function connectServiceBus(
  binding: Binding,
  settings: Settings,
  where: string,
  maxRetries?: number,
): ServiceBusClient {
  setNoDelayOnClientSockets();
  const name = String(binding.connection ?? 'AzureWebJobsServiceBus');
  const connection = resolveConnection(settings, name, 'fullyQualifiedNamespace', where);
  const retryOptions = { retryDelayInMs: RETRY_DELAY_MS, ...(maxRetries !== undefined && { maxRetries }) };
  return connection.kind === 'connectionString'
    ? new ServiceBusClient(connection.value, { retryOptions })
    : new ServiceBusClient(connection.endpoint, managedIdentity(connection.clientId), { retryOptions });
}
