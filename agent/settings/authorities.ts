import { readFileSync } from 'node:fs';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';

/** Makes this process trust the authorities in a PEM file beside those it trusts anyway. */
export const trustAuthorities = (caFile: string): void => {
  let pem: string;
  try {
    pem = readFileSync(caFile, 'utf8');
  } catch (error) {
    throw new Error(`The certificate file ${caFile} cannot be read: ${(error as Error).message}`);
  }
  setDefaultCACertificates([...getCACertificates('default'), pem]);
};
