import { Button, Text, Title } from '@mantine/core';
import { CodeBlock, Section, useCan, useInfo } from '@llm-platform/shared';
import { Link } from 'react-router';
import { snippet } from '../quick-start/snippets';
import { useFirstModel } from '../models/useModels';
import classes from './FirstSteps.module.css';

/** Instead of empty charts: how to get to the first request. */
export function FirstSteps() {
  const info = useInfo();
  const can = useCan();
  const model = useFirstModel();
  const code = snippet('curl', info.data?.entry_url ?? '', {
    model,
    messages: [{ role: 'user', content: 'Say hello.' }],
  });
  return (
    <Section>
      <ol className={classes.steps}>
        <li>
          <Title order={2}>Make a key</Title>
          <Text c="dimmed">It stands for you in every request. You can limit what it may use and cost.</Text>
          {can('POST /api/keys') && (
            <Button component={Link} to="/keys?new=1" mt="sm">
              Make a key
            </Button>
          )}
        </li>
        <li>
          <Title order={2}>Send a request</Title>
          <Text c="dimmed" mb="sm">
            Any client of the OpenAI API works. <Link to="/quick-start">Python, Node and more</Link>
          </Text>
          <CodeBlock code={code} label="request with curl" />
        </li>
        <li>
          <Title order={2}>See it here</Title>
          <Text c="dimmed">Cost and tokens appear on this page within seconds.</Text>
        </li>
      </ol>
    </Section>
  );
}
