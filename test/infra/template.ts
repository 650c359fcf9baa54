import { readFileSync } from 'node:fs';
import { join } from 'node:path';

type Json = Readonly<Record<string, unknown>>;

export interface Resource {
  /** Symbolic names of the modules that lead to it and its own: `store.account`. */
  readonly path: string;
  readonly type: string;
  readonly name: string;
  readonly scope: string;
  readonly properties: Json;
}

const root = join(import.meta.dirname, '..', '..');
const object = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {});

export const readJson = (file: string): Json => JSON.parse(readFileSync(join(root, file), 'utf8')) as Json;
export const readText = (file: string): string => readFileSync(join(root, file), 'utf8');

const resourcesOf = (template: Json, path: string): readonly Resource[] =>
  Object.entries(object(template['resources'])).flatMap(([symbol, value]) => {
    const resource = object(value);
    const properties = object(resource['properties']);
    const own = `${path}${symbol}`;
    if (resource['existing'] === true) return [];
    if (resource['type'] === 'Microsoft.Resources/deployments')
      return resourcesOf(object(properties['template']), `${own}.`);
    return [
      {
        path: own,
        type: String(resource['type']),
        name: String(resource['name']),
        scope: String(resource['scope'] ?? ''),
        properties,
      },
    ];
  });

const template = readJson('infra/main.json');

/** Every resource that the compiled template makes, those of modules included. */
export const resources = resourcesOf(template, '');

export const ofType = (type: string): readonly Resource[] =>
  resources.filter((resource) => resource.type === type);

export const at = (path: string): Resource => {
  const found = resources.find((resource) => resource.path === path);
  if (found === undefined) throw new Error(`The template has no ${path}.`);
  return found;
};

/** The variables of a module, in which the app settings are put together. */
export const variablesOf = (module: string): Json => {
  const deployment = object(object(template['resources'])[module]);
  return object(object(object(deployment['properties'])['template'])['variables']);
};
