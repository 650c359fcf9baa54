import { ManagedIdentityCredential } from '@azure/identity';

/** The app's managed identity; the user-assigned one with `clientId`, otherwise the system-assigned one. */
export const managedIdentity = (clientId: string | undefined): ManagedIdentityCredential =>
  clientId === undefined ? new ManagedIdentityCredential() : new ManagedIdentityCredential({ clientId });
