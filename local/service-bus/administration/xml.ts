/** The little XML that the administration protocol needs: flat elements of known names. */

const escapes: Readonly<Record<string, string>> = {
  '<': '&lt;',
  '>': '&gt;',
  '&': '&amp;',
  '"': '&quot;',
  "'": '&apos;',
};

export const escapeXml = (value: unknown): string =>
  String(value).replace(/[<>&"']/g, (character) => escapes[character] ?? character);

export const element = (name: string, value: unknown): string =>
  value === undefined ? '' : `<${name}>${escapeXml(value)}</${name}>`;

/** Text of the first element of that name. */
export function textOf(xml: string, name: string): string | undefined {
  const match = new RegExp(`<${name}(?:\\s[^>]*)?>([^<]*)</${name}>`).exec(xml);
  return match ? unescapeXml(match[1] ?? '') : undefined;
}

/** Inner XML of each element of that name; elements of one name must not be nested. */
export function innerOf(xml: string, name: string): string[] {
  const pattern = new RegExp(`<${name}(?:\\s[^>]*)?>([\\s\\S]*?)</${name}>`, 'g');
  return [...xml.matchAll(pattern)].map((match) => match[1] ?? '');
}

function unescapeXml(text: string): string {
  return text
    .replace(/&#x([0-9a-f]+);/gi, (_, code: string) => String.fromCodePoint(Number.parseInt(code, 16)))
    .replace(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))
    .replace(/&(lt|gt|quot|apos|amp);/g, (entity) => {
      const found = Object.entries(escapes).find(([, escape]) => escape === entity);
      return found?.[0] ?? entity;
    });
}
