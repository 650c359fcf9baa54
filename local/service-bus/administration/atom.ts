import { element, escapeXml } from './xml.ts';

const atomNamespace = 'http://www.w3.org/2005/Atom';
export const serviceNamespace = 'http://schemas.microsoft.com/netservices/2010/10/servicebus/connect';
export const instanceNamespace = 'http://www.w3.org/2001/XMLSchema-instance';

export interface AtomEntry {
  /** From the host on. Clients read the names of entities out of it. */
  readonly path: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Name of the element inside. */
  readonly root: string;
  readonly content: string;
}

export const isoTime = (moment: number): string => new Date(moment).toISOString();

export function describeEntry(host: string, entry: AtomEntry): string {
  const { path, createdAt, updatedAt, root, content } = entry;
  return (
    `<entry xmlns="${atomNamespace}"><id>https://${escapeXml(host)}/${escapeXml(path)}</id>` +
    `<title type="text">${escapeXml(path.split('/').at(-1))}</title>${element('published', isoTime(createdAt))}` +
    `${element('updated', isoTime(updatedAt))}<content type="application/xml">` +
    `<${root} xmlns="${serviceNamespace}" xmlns:i="${instanceNamespace}">${content}</${root}></content></entry>`
  );
}

/** One page of a list, with the address of the next one when there is more. */
export function describeFeed(url: URL, entries: readonly AtomEntry[]): string {
  const skip = Number(url.searchParams.get('$skip') ?? 0);
  const top = Number(url.searchParams.get('$top') ?? defaultPage);
  const next = new URL(url);
  next.searchParams.set('$skip', String(skip + top));
  next.searchParams.set('$top', String(top));
  const link = (relation: string, { href }: URL) => `<link rel="${relation}" href="${escapeXml(href)}"/>`;
  const page = entries.slice(skip, skip + top);
  return (
    `<feed xmlns="${atomNamespace}"><title type="text">${escapeXml(url.pathname)}</title>` +
    `<id>${escapeXml(url.href)}</id>${element('updated', isoTime(Date.now()))}${link('self', url)}` +
    `${skip + top < entries.length ? link('next', next) : ''}` +
    `${page.map((entry) => describeEntry(url.host, entry)).join('')}</feed>`
  );
}

const defaultPage = 100;
