import { Skeleton, Text } from '@mantine/core';
import { Failure, Notice, Section, Status, Time, type Tone } from '@llm-platform/shared';
import { CircleAlert, CircleCheck } from 'lucide-react';
import { sentence } from '../display/words';
import { circuitWords, ProviderState, scoreWords } from '../providers/health';
import type { Overview, ServiceState } from '../types';
import { TextLink } from '../display/TextLink';
import classes from './Overview.module.css';

interface HealthProps {
  overview: Overview | undefined;
  error: unknown;
  onRetry: () => void;
}

/** Is it working: every service and provider, and why not. */
export function Health({ overview, error, onRetry }: HealthProps) {
  return (
    <div className={classes.health}>
      <Section>
        {overview ? (
          <Parts overview={overview} />
        ) : error ? (
          <Failure error={error} onRetry={onRetry} />
        ) : (
          <Skeleton height={120} radius="md" aria-busy="true" />
        )}
      </Section>
    </div>
  );
}

function Parts({ overview }: { overview: Overview }) {
  // The control side of a service may be listed under its name again.
  const services = [...new Map(overview.services.map(each => [each.name, each])).values()];
  const away = [
    ...services.filter(each => each.state !== 'ready').map(each => each.name),
    ...overview.providers.filter(each => each.enabled && each.state === 'down').map(each => each.name),
  ];
  const well = away.length === 0 && !overview.providers_unknown;
  const Icon = well ? CircleCheck : CircleAlert;
  return (
    <>
      <div className={classes.banner}>
        <div className={classes.verdict}>
          <Icon size={22} aria-hidden data-tone={well ? 'good' : 'bad'} />
          <Text fw={600} size="lg" component="h2">
            {well
              ? 'Everything works'
              : `${away.join(', ') || 'Something'} ${away.length > 1 ? 'need' : 'needs'} attention`}
          </Text>
        </div>
        <Text size="sm" c="dimmed">
          Looked <Time at={overview.at} />
        </Text>
      </div>
      <ul className={classes.parts} aria-label="Services">
        {services.map(service => (
          <li key={service.name} className={classes.part}>
            <div>
              {service.name}
              <ServiceStatus of={service} />
            </div>
            {service.detail && <div className={classes.detail}>{sentence(service.detail)}</div>}
          </li>
        ))}
      </ul>
      {overview.providers_unknown && (
        <Notice kind="warning" title="The providers are not known right now">
          {overview.providers_unknown}
        </Notice>
      )}
      {overview.providers.length > 0 && (
        <ul className={classes.parts} aria-label="Providers">
          {overview.providers.map(provider => (
            <li key={provider.name} className={classes.part}>
              <div>
                <TextLink to="/providers">{provider.name}</TextLink>
                <ProviderState of={provider} />
              </div>
              <div className={classes.detail}>
                {provider.state !== 'healthy' && provider.detail
                  ? sentence(provider.detail)
                  : `Recent calls: ${scoreWords(provider).toLowerCase()} · ${circuitWords(provider.circuit).toLowerCase()}`}
              </div>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

const STATES: Record<string, [Tone, string]> = {
  ready: ['good', 'Ready'],
  degraded: ['warning', 'Degraded'],
  down: ['bad', 'Down'],
};

function ServiceStatus({ of: service }: { of: ServiceState }) {
  const [tone, words] = STATES[service.state] ?? ['warning', service.state || 'Not known'];
  return <Status tone={tone}>{words}</Status>;
}
