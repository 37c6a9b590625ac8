import { daysOf, viewerZone } from '@llm-platform/shared';
import { useState } from 'react';
import { UsageChart } from '../usage/UsageChart';
import type { Measure } from '@llm-platform/shared/charts';

/** The last 30 days, by model. */
export function Spending() {
  const [measure, setMeasure] = useState<Measure>('cost');
  const days = daysOf('30d');
  return (
    <UsageChart
      days={days}
      query={{ ...days, by: ['day', 'model'], time_zone: viewerZone() }}
      nameOf={row => row.model}
      measure={measure}
      onMeasure={setMeasure}
    />
  );
}
