import { BlobClient } from '@azure/storage-blob';

/** The address to use: origin and path are what was signed, the ticket adds nothing but its query. */
export const withTicket = (url: string, ticket: string): string => {
  const address = new URL(url);
  address.search = ticket.replace(/^\?/, '');
  address.hash = '';
  return address.toString();
};

/** `container/name`, as events hold it. */
export const pathOfBlob = (url: string): string => {
  const { containerName, name } = new BlobClient(url);
  return `${containerName}/${name}`;
};

/** The store answered, and it was a refusal that a repeat will not change. */
export const isRefusal = (error: unknown): boolean => {
  const status = statusOf(error);
  return status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 429;
};

export const statusOf = (error: unknown): number | undefined =>
  typeof error === 'object' && error !== null && 'statusCode' in error && typeof error.statusCode === 'number'
    ? error.statusCode
    : undefined;

/** What the store calls its refusal, such as `BlobAlreadyExists`; never the whole message, which may hold the address. */
export const storeCodeOf = (error: unknown): string => {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : `status ${statusOf(error) ?? 'none'}`;
};
