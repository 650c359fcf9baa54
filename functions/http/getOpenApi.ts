import { openApi } from '../../contracts/openApi.ts';
import { answering, json, type Route } from './route.ts';

export const getOpenApi = (): Route => ({
  name: 'getOpenApi',
  method: 'GET',
  path: 'openapi.json',
  handle: answering(async () => json(200, openApi())),
});
