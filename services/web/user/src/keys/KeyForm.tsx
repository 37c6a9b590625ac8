import { Accordion, Button, Group, MultiSelect, Select, Stack, TagsInput, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import {
  calendarDay,
  describe,
  limitProblem,
  LimitsFields,
  limitsOf,
  limitsText,
  Notice,
  Problem,
  StaleNotice,
  useCan,
  useEdited,
  useList,
  useSession,
  type CreatedKey,
  type Key,
  type LimitsText,
  type Team,
} from '@llm-platform/shared';
import { useMutation } from '@tanstack/react-query';
import { useModels } from '../models/useModels';
import { expiresAt, LIVES } from './expiry';
import { createKey, readKey, updateKey, type KeySettings } from './keys';

interface KeyFormProps {
  /** Unset: a new one is made. */
  edited?: Key;
  onCreated?: (made: CreatedKey) => void;
  onClose: () => void;
}

type Values = {
  name: string;
  team: string | null;
  life: string;
  day: string;
  models: string[];
  ranges: string[];
  limits: LimitsText;
};

const limitRules = Object.fromEntries(
  Object.keys(limitsText()).map(name => [
    name,
    (value: string) => limitProblem(name as keyof LimitsText, value),
  ]),
);

function initial(key?: Key): Values {
  const expires = key?.expires_at ?? '';
  return {
    name: key?.name ?? '',
    team: key?.team_id || null,
    life: key ? (expires ? 'day' : 'never') : '90',
    day: expires ? calendarDay(new Date(expires)) : '',
    models: key?.allowed_models ?? [],
    ranges: key?.ip_ranges ?? [],
    limits: limitsText(key?.limits),
  };
}

/** Makes a key, or changes what it may do. */
export function KeyForm({ edited, onCreated, onClose }: KeyFormProps) {
  const form = useForm<Values>({
    initialValues: initial(edited),
    validate: {
      name: value => (value.trim() ? null : 'Give it a name that you will recognise.'),
      day: (value, values) => (values.life !== 'day' || value ? null : 'Choose a day.'),
      limits: limitRules,
    },
  });
  const { base, reload } = useEdited(edited, form, () => readKey(edited!), initial);
  const { role } = useSession();
  const onlyName = !!edited && role !== 'owner' && role !== 'admin';
  const models = useModels();
  const teams = useTeams(!edited);
  const save = useMutation({
    mutationFn: async (values: Values) => {
      const wanted = wantedOf(values, base);
      if (base) await updateKey(base, onlyName ? { name: wanted.name } : wanted);
      else onCreated?.(await createKey({ ...wanted, team: values.team ?? '' }));
    },
    onSuccess: () => edited && onClose(),
    meta: { shown: true },
  });
  const { life } = form.values;
  return (
    <form onSubmit={form.onSubmit(values => save.mutate(values))}>
      <Stack gap="md">
        <TextInput
          label="Name"
          placeholder="support-bot production"
          data-autofocus
          autoComplete="off"
          maxLength={100}
          {...form.getInputProps('name')}
        />
        {onlyName ? (
          <Notice kind="info">
            What a key may do is settled when it is made. An administrator can change it, or you make a new
            one.
          </Notice>
        ) : (
          <>
            <Group grow align="flex-start">
              <Select
                label="Expires"
                allowDeselect={false}
                data={[...LIVES]}
                {...form.getInputProps('life')}
              />
              {life === 'day' && (
                <TextInput
                  type="date"
                  label="Last day"
                  min={calendarDay(new Date())}
                  {...form.getInputProps('day')}
                />
              )}
              {!edited && teams.length > 0 && (
                <Select
                  label="Team"
                  placeholder="None"
                  clearable
                  data={teams.map(team => ({ value: team.team_id, label: team.name }))}
                  {...form.getInputProps('team')}
                />
              )}
            </Group>
            <MultiSelect
              label="Models"
              description="Empty: all that you may use"
              placeholder={form.values.models.length ? '' : 'All models'}
              searchable
              clearable
              hidePickedOptions
              data={[
                ...new Set([...(models.data?.items ?? []).map(model => model.id), ...form.values.models]),
              ]}
              {...form.getInputProps('models')}
            />
            <Accordion variant="contained" radius="md">
              <Accordion.Item value="limits">
                <Accordion.Control>Limits and addresses</Accordion.Control>
                <Accordion.Panel>
                  <Stack gap="md">
                    <LimitsFields field={name => form.getInputProps(`limits.${name}`)} />
                    <TagsInput
                      label="Only from these addresses"
                      description="Networks such as 203.0.113.0/24. Empty: from anywhere"
                      placeholder="203.0.113.0/24"
                      {...form.getInputProps('ranges')}
                    />
                  </Stack>
                </Accordion.Panel>
              </Accordion.Item>
            </Accordion>
          </>
        )}
        {save.error instanceof Problem && save.error.stale ? (
          <StaleNotice reload={reload} onDone={save.reset} />
        ) : (
          save.error && <Notice kind="error">{describe(save.error)}</Notice>
        )}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={save.isPending}>
            {edited ? 'Save' : 'Make key'}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function wantedOf(values: Values, edited?: Key): KeySettings {
  const untouched = edited && values.life === 'day' && values.day === initial(edited).day;
  return {
    name: values.name.trim(),
    expires_at: untouched ? edited.expires_at : expiresAt(values.life, values.day, new Date()),
    allowed_models: values.models,
    ip_ranges: values.ranges,
    limits: limitsOf(values.limits),
  };
}

function useTeams(wanted: boolean): Team[] {
  const { user_id } = useSession();
  const allowed = useCan()('GET /api/teams');
  return useList<Team>('/api/teams', { user: user_id }, { enabled: wanted && allowed, pageSize: 1000 }).items;
}
