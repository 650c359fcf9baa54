import { readFileSync } from 'node:fs';
import tls from 'node:tls';
import { inject } from 'vitest';

tls.setDefaultCACertificates([
  ...tls.getCACertificates('default'),
  readFileSync(inject('cloud').caFile, 'utf8'),
]);
