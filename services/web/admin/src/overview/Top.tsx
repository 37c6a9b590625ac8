import { Select, Skeleton, Stack, Text } from '@mantine/core';
import {
  daysOf,
  Failure,
  Money,
  percent,
  Section,
  useResource,
  viewerZone,
  type UsageReport,
} from '@llm-platform/shared';
import { useState } from 'react';
import { DIMENSIONS, valueOf, type Filter } from '../usage/dimensions';
import { Labelled } from '../usage/UsageTable';
import { TextLink } from '../display/TextLink';
import classes from './Overview.module.css';

interface TopProps {
  by: Filter;
  title: string;
  /** By what can be chosen. */
  choosable?: boolean;
}

const SHOWN = 5;
const WHO = DIMENSIONS.filter(({ value }) => ['organization', 'team', 'user', 'key'].includes(value)).map(
  ({ value, plural }) => ({ value, label: plural[0]!.toUpperCase() + plural.slice(1) }),
);

/** Who or what cost most this month. */
export function Top({ by: first, title, choosable }: TopProps) {
  const [by, setBy] = useState(first);
  const days = daysOf('month', '', '');
  const read = useResource<UsageReport>(
    '/api/usage',
    { ...days, by: [by], order: 'cost', limit: SHOWN, time_zone: viewerZone() },
    { live: 60 },
  );
  const rows = read.isPlaceholderData ? [] : (read.data?.rows ?? []);
  const largest = rows[0]?.cost ?? '0';
  return (
    <Section
      title={title}
      actions={
        choosable && (
          <Select
            aria-label="Who"
            size="xs"
            w={140}
            data={WHO.filter(({ value }) => first === 'organization' || value !== 'organization')}
            value={by}
            allowDeselect={false}
            onChange={value => value && setBy(value as Filter)}
          />
        )
      }
    >
      {read.error && !read.data ? (
        <Failure error={read.error} onRetry={() => void read.refetch()} />
      ) : !read.data || read.isPlaceholderData ? (
        <Stack gap="md" aria-busy="true">
          <Skeleton height={26} />
          <Skeleton height={26} />
          <Skeleton height={26} />
        </Stack>
      ) : rows.length === 0 ? (
        <Text c="dimmed">Nothing was used this month.</Text>
      ) : (
        <ol className={classes.top}>
          {rows.map(row => {
            const value = valueOf(row, by);
            return (
              <li key={value}>
                <div>
                  {value ? (
                    <TextLink
                      to={`/usage?period=month&${by}=${encodeURIComponent(value)}&by=${by === 'model' ? 'user' : 'model'}`}
                    >
                      <Labelled by={by} value={value} />
                    </TextLink>
                  ) : (
                    <Text component="span" c="dimmed">
                      Without one
                    </Text>
                  )}
                  <Money amount={row.cost} />
                </div>
                <div className={classes.track} aria-hidden>
                  <div style={{ width: `${percent(row.cost, largest)}%` }} />
                </div>
              </li>
            );
          })}
        </ol>
      )}
    </Section>
  );
}
