import { changeSettingsRequest } from '../../contracts/http.ts';
import { effectiveLimits, type LimitOverrides, limitProfiles } from '../../domain/limits.ts';
import type { SettingsState, Switches } from '../../domain/settings/index.ts';
import type { Services } from '../services.ts';
import { onSettings, readSettingsOf } from '../streams/streams.ts';
import { bodyOf, json, type Route, signedIn } from './route.ts';

const resource = ({ limits, switches, signers }: SettingsState) => ({
  limits: effectiveLimits(limits),
  switches,
  signers: Object.values(signers),
});

export const getSettings = (services: Services): Route => ({
  name: 'getSettings',
  method: 'GET',
  path: 'settings',
  handle: signedIn(services.tokens, ['Settings.Manage', 'Basic'], async ({ caller }) => {
    const { state } = await readSettingsOf(services, caller.tenantId);
    return json(200, resource(state));
  }),
});

/** Changes limits and switches of the tenant. Sessions that are open keep the limits they were opened with. */
export const changeSettings = (services: Services): Route => ({
  name: 'changeSettings',
  method: 'PATCH',
  path: 'settings',
  handle: signedIn(
    services.tokens,
    ['Settings.Manage'],
    async ({ request, caller, correlationId, metadata }) => {
      const { tenantId, actor } = caller;
      const change = await bodyOf(request, changeSettingsRequest);
      const by = actor.id;
      const profile = change.profile === undefined ? {} : limitProfiles[change.profile];
      const limits: LimitOverrides = { ...profile, ...defined(change.limits ?? {}) };
      const switches = defined(change.switches ?? {}) as Partial<Switches>;
      await onSettings(services, tenantId, metadata(correlationId), (now) => ({
        type: 'ChangeLimits',
        limits,
        by,
        now,
      }));
      const { head } = await onSettings(services, tenantId, metadata(correlationId), (now) => ({
        type: 'ChangeSwitches',
        switches,
        by,
        now,
      }));
      return json(200, resource(head.state));
    },
  ),
});

const defined = (members: object): object =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
