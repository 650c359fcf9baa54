import { randomUUID } from 'node:crypto';
import { badRequest } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { partitionKeyOf } from '../partitionKey.ts';
import type { Container } from './catalogue.ts';
import { checkSize, expiryOf, nowInSeconds, ownTtl } from './itemRules.ts';
import { itemRid } from './resourceIds.ts';

/** An item as it goes into the table. */
export interface StoredForm {
  readonly etag: string;
  /** JSON text with the properties that the service adds. */
  readonly body: string;
  readonly ts: number;
  readonly ttl: number | null;
  readonly expires: number | null;
}

/** Adds the service's own properties to an item. Throws 400 when it does not belong to the partition key. */
export function storedForm(container: Container, pk: string, document: JsonObject, row: number): StoredForm {
  if (partitionKeyOf(document, container.rules.partitionPaths) !== pk) {
    throw badRequest(
      'The partition key in the item does not match the one in the header (PartitionKey extracted from document).',
      1001,
    );
  }
  const { _lsn, _rid, _self, _etag, _attachments, _ts, ...own } = document;
  const ttl = ownTtl(document);
  const ts = nowInSeconds();
  const rid = itemRid(container.databaseN, container.n, row);
  const etag = `"${randomUUID()}"`;
  const body = JSON.stringify({
    ...own,
    _rid: rid,
    _self: `${container.self}docs/${rid}/`,
    _etag: etag,
    _attachments: 'attachments/',
    _ts: ts,
  });
  checkSize(body);
  return { etag, body, ts, ttl, expires: expiryOf(ts, ttl, container.rules.defaultTtl) };
}
