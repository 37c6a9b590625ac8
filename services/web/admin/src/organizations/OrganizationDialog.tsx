import { TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import {
  api,
  LimitsFields,
  limitsOf,
  limitsText,
  path,
  type Organization,
  useEdited,
} from '@llm-platform/shared';
import { FieldGroup } from '../forms/FieldGroup';
import { FormDialog } from '../forms/FormDialog';
import { named, validLimits } from '../forms/validate';
import { changed } from '../query/changed';

const valuesOf = (it?: Organization) => ({ name: it?.name ?? '', limits: limitsText(it?.limits) });

interface OrganizationDialogProps {
  /** Unset: a new one. */
  organization?: Organization;
  onClose: () => void;
}

export function OrganizationDialog({ organization, onClose }: OrganizationDialogProps) {
  const form = useForm({
    initialValues: valuesOf(organization),
    validate: { name: named, limits: validLimits },
  });
  const url = path`/api/organizations/${organization?.organization_id ?? ''}`;
  const { base, reload } = useEdited(organization, form, () => api.get<Organization>(url), valuesOf);
  const save = async ({ name, limits }: ReturnType<typeof valuesOf>) => {
    const body = { name: name.trim(), limits: limitsOf(limits) };
    await (base ? api.patch(url, base.etag, body) : api.post('/api/organizations', body));
    await changed('/api/organizations');
  };
  return (
    <FormDialog
      title={base ? `Edit ${base.name}` : 'New organisation'}
      action={base ? 'Save' : 'Create organisation'}
      form={form}
      save={save}
      onClose={onClose}
      reload={reload}
    >
      <TextInput label="Name" data-autofocus maxLength={100} {...form.getInputProps('name')} />
      <FieldGroup legend="Limits of all its keys together">
        <LimitsFields field={name => form.getInputProps(`limits.${name}`)} />
      </FieldGroup>
    </FormDialog>
  );
}
